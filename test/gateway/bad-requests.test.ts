import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProblemBody } from '../../shared/contracts/problem.ts';
import { pathsOf, problemOf, startGateway, type TestGateway } from './support.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway({
    RUNLET_MAX_BODY_BYTES: '65536',
    RUNLET_ALLOW_WRITABLE: 'false',
    RUNLET_ALLOW_EGRESS: 'false',
    RUNLET_REGISTRIES: 'docker.io,ghcr.io',
    RUNLET_MAX_CPUS: '4',
  });
});
afterAll(async () => {
  // Nothing of what was refused was stored.
  expect(await on.redis.exists(on.keys.open, on.keys.tenantRuns('default'))).toBe(0);
  await on.stop();
});

const a = { image: 'busybox' };

describe('fields', () => {
  test.each<[name: string, body: unknown, paths: string[]]>([
    ['nothing to run', {}, ['image']],
    ['an empty image', { image: '' }, ['image']],
    ['an image that is no reference', { image: 'UPPER/case:ok:no' }, ['image']],
    ['an image that is no string', { image: 5 }, ['image']],
    ['an image and a language', { ...a, language: 'python' }, ['language']],
    ['a registry that is not allowed', { image: 'quay.io/x/y' }, ['image']],
    ['an id where registries are named', { image: `sha256:${'a'.repeat(64)}` }, ['image']],
    ['the beginning of an id where registries are named', { image: 'cafe0123beef' }, ['image']],
    ['an id that is to be pulled', { image: 'a'.repeat(64), pull: 'always' }, ['image', 'pull']],
    ['half a size', { ...a, interactive: true, tty: true, cols: 80 }, ['rows']],
    ['the other half', { ...a, interactive: true, tty: true, rows: 24 }, ['cols']],
    ['a size of nothing', { ...a, interactive: true, tty: true, cols: 80, rows: 0 }, ['rows']],
    ['a size beyond all', { ...a, interactive: true, tty: true, cols: 10_001, rows: 24 }, ['cols']],
    ['a size without a terminal', { ...a, interactive: true, cols: 80, rows: 24 }, ['cols']],
    ['an unknown field', { ...a, foo: 1 }, ['foo']],
    ['several unknown fields', { ...a, foo: 1, bar: 2 }, ['foo', 'bar']],
    ['an unknown limit', { ...a, limits: { memory: 1 } }, ['limits.memory']],
    ['no memory', { ...a, limits: { memoryBytes: 0 } }, ['limits.memoryBytes']],
    ['negative memory', { ...a, limits: { memoryBytes: -1 } }, ['limits.memoryBytes']],
    ['memory as text', { ...a, limits: { memoryBytes: '256m' } }, ['limits.memoryBytes']],
    ['memory in fractions', { ...a, limits: { memoryBytes: 1e8 + 0.5 } }, ['limits.memoryBytes']],
    ['memory beyond all', { ...a, limits: { memoryBytes: 1e99 } }, ['limits.memoryBytes']],
    ['a time of 0', { ...a, limits: { timeoutMs: 0 } }, ['limits.timeoutMs']],
    ['null for a limit', { ...a, limits: { timeoutMs: null } }, ['limits.timeoutMs']],
    ['too much time', { ...a, limits: { timeoutMs: 86_400_001 } }, ['limits.timeoutMs']],
    ['CPU time of 0', { ...a, limits: { cpuTimeMs: 0 } }, ['limits.cpuTimeMs']],
    ['too much CPU time', { ...a, limits: { cpuTimeMs: 86_400_001 } }, ['limits.cpuTimeMs']],
    ['a stack beyond all memory', { ...a, limits: { stackBytes: 300_000_000 } }, ['limits.stackBytes']],
    ['no stack', { ...a, limits: { stackBytes: 1000 } }, ['limits.stackBytes']],
    ['too many CPUs', { ...a, limits: { cpus: 5 } }, ['limits.cpus']],
    ['no CPUs', { ...a, limits: { cpus: 0 } }, ['limits.cpus']],
    ['no pids', { ...a, limits: { pids: 0 } }, ['limits.pids']],
    ['no output', { ...a, limits: { outputBytes: 0 } }, ['limits.outputBytes']],
    ['no disk', { ...a, limits: { diskBytes: 1 } }, ['limits.diskBytes']],
    ['limits that are a list', { ...a, limits: [] }, ['limits']],
    ['a command that is a string', { ...a, command: 'echo hi' }, ['command']],
    ['a command with a number', { ...a, command: ['echo', 5] }, ['command[1]']],
    ['a NUL in the command', { ...a, command: ['a', 'b\0c'] }, ['command[1]']],
    ['too many words', { ...a, command: Array(1025).fill('x') }, ['command']],
    ['an empty entrypoint alone', { ...a, entrypoint: [] }, ['command']],
    ['an environment that is a list', { ...a, env: ['A=1'] }, ['env']],
    ['a variable with = in its name', { ...a, env: { 'A=B': 'x' } }, ['env.A=B']],
    ['a variable without a name', { ...a, env: { '': 'x' } }, ['env.']],
    ['a variable that is a number', { ...a, env: { A: 1 } }, ['env.A']],
    ['a relative workdir', { ...a, workdir: 'work' }, ['workdir']],
    ['a workdir with ..', { ...a, workdir: '/a/../b' }, ['workdir']],
    ['stdin that is no string', { ...a, stdin: 5 }, ['stdin']],
    ['stdin that is no base64', { ...a, stdin: '%%%', stdinEncoding: 'base64' }, ['stdin']],
    ['an unknown encoding', { ...a, stdinEncoding: 'latin1' }, ['stdinEncoding']],
    ['an unknown network', { ...a, network: 'host' }, ['network']],
    ['egress where it is not allowed', { ...a, network: 'egress' }, ['network']],
    ['writable where it is not allowed', { ...a, writable: true }, ['writable']],
    ['an unknown isolation', { ...a, isolation: 'vm' }, ['isolation']],
    ['an unknown pull policy', { ...a, pull: 'sometimes' }, ['pull']],
    ['a priority below 0', { ...a, priority: -1 }, ['priority']],
    ['a priority above 100', { ...a, priority: 101 }, ['priority']],
    ['a negative delay', { ...a, delayMs: -1 }, ['delayMs']],
    ['too long a delay', { ...a, delayMs: 604_800_001 }, ['delayMs']],
    ['negative retries', { ...a, retries: -1 }, ['retries']],
    ['metadata that is no text', { ...a, metadata: { a: 1 } }, ['metadata.a']],
    ['metadata that is null', { ...a, metadata: null }, ['metadata']],
    ['an unknown field in a file', { ...a, files: [{ path: 'a', content: '', x: 1 }] }, ['files[0].x']],
    ['a file without content', { ...a, files: [{ path: 'a' }] }, ['files[0].content']],
    [
      'a file with a mode of its own kind',
      { ...a, files: [{ path: 'a', content: '', mode: '4755' }] },
      ['files[0].mode'],
    ],
    [
      'a file that is no base64',
      { ...a, files: [{ path: 'a', content: 'a', encoding: 'base64' }] },
      ['files[0].content'],
    ],
    ...[
      '',
      '/a',
      '/etc/a',
      '/tmp',
      '/tmp/',
      '/tmp//a',
      '/tmp/a/',
      '/tmp/./a',
      '/tmp/../etc/a',
      '/tmpa/b',
      'a/',
      'a//b',
      './a',
      'a/../b',
      '..',
      '.',
      'a\0b',
      '\ud800',
      `a/${'é'.repeat(128)}`,
      `${'a/'.repeat(512)}a`,
    ].map((path): [string, unknown, string[]] => [
      `a file at ${JSON.stringify(path).slice(0, 40)}`,
      { ...a, files: [{ path, content: '' }] },
      ['files[0].path'],
    ]),
    [
      'a file twice',
      { ...a, files: ['a', 'b', 'a'].map((path) => ({ path, content: '' })) },
      ['files[2].path'],
    ],
    [
      'a file that is a folder',
      { ...a, files: ['a/b/c', 'a/b'].map((path) => ({ path, content: '' })) },
      ['files[1].path'],
    ],
    [
      'a file in the work folder twice, once by its whole path',
      { ...a, workdir: '/tmp/x', files: ['a/b', '/tmp/x/a/b'].map((path) => ({ path, content: '' })) },
      ['files[1].path'],
    ],
    [
      'a file below /tmp that is a folder of the work folder',
      { ...a, workdir: '/tmp', files: ['/tmp/a', 'a/b'].map((path) => ({ path, content: '' })) },
      ['files[0].path'],
    ],
    [
      'a program that lies below /tmp',
      { language: 'python', files: [{ path: '/tmp/main.py', content: '' }] },
      ['files'],
    ],
    ['limits of a compiler that an image has not', { ...a, compileLimits: {} }, ['compileLimits']],
    [
      'limits of a compiler that a language has not',
      { language: 'python', code: '', compileLimits: { timeoutMs: 1 } },
      ['compileLimits'],
    ],
    [
      'limits of a compiler out of range',
      {
        ...{ language: 'c', code: '' },
        compileLimits: { timeoutMs: 0, cpuTimeMs: -1, memoryBytes: 1, outputBytes: 1e99, pids: 1 },
      },
      ['timeoutMs', 'cpuTimeMs', 'memoryBytes', 'outputBytes', 'pids'].map((name) => `compileLimits.${name}`),
    ],
    [
      'another memory for the compiler in gVisor',
      {
        ...{ language: 'c', code: '', isolation: 'gvisor' },
        ...{ limits: { memoryBytes: 2 ** 26 }, compileLimits: { memoryBytes: 2 ** 27 } },
      },
      ['compileLimits.memoryBytes'],
    ],
    ['options of a compiler that an image has not', { ...a, compilerOptions: ['-O2'] }, ['compilerOptions']],
    [
      'options of a compiler that a language has not',
      { language: 'python', code: '', compilerOptions: ['-O2'] },
      ['compilerOptions'],
    ],
    [
      'options that do more than compile',
      { language: 'cpp', code: '', compilerOptions: ['-O2', '-o/work/x', '-Wall', '@options', ''] },
      [1, 3, 4].map((index) => `compilerOptions[${index}]`),
    ],
    ['too many files', { ...a, files: Array(1001).fill({ path: 'a', content: '' }) }, ['files']],
    ['code for an image', { ...a, code: 'x' }, ['code']],
    ...['', '/x', 'a/', '../a', 'a/./b', 'a**', '{a,b}', 'a\\'].map((glob): [string, unknown, string[]] => [
      `artifacts ${JSON.stringify(glob)}`,
      { ...a, artifacts: [glob] },
      ['artifacts[0]'],
    ]),
    ['too many globs', { ...a, artifacts: Array(101).fill('x') }, ['artifacts']],
    ['stdin beside inputs', { ...a, stdin: 'x', inputs: [{}] }, ['stdin']],
    [
      'an input that is no base64',
      { ...a, inputs: [{}, { stdin: '?', stdinEncoding: 'base64' }] },
      ['inputs[1].stdin'],
    ],
    ['an unknown field in an input', { ...a, inputs: [{ code: 'x' }] }, ['inputs[0].code']],
    [
      'an expected output that is no text',
      { ...a, inputs: [{ expectedStdout: 1 }] },
      ['inputs[0].expectedStdout'],
    ],
    ['an expected output without inputs', { ...a, expectedStdout: 'x' }, ['expectedStdout']],
    ['a failure that ends nothing', { ...a, stopOnFailure: true }, ['stopOnFailure']],
    ['inputs beside interactive', { ...a, interactive: true, inputs: [{}] }, ['inputs']],
    ['a terminal for nobody', { ...a, tty: true }, ['tty']],
    ['a webhook that is no URL', { ...a, webhook: { url: 'example.com/hook' } }, ['webhook.url']],
    ['a webhook of another scheme', { ...a, webhook: { url: 'ftp://example.com' } }, ['webhook.url']],
    ['a webhook with a password', { ...a, webhook: { url: 'https://a:b@example.com' } }, ['webhook.url']],
    ['a webhook to this machine', { ...a, webhook: { url: 'http://127.1/x' } }, ['webhook.url']],
    ['a webhook to a mail server', { ...a, webhook: { url: 'http://example.com:25' } }, ['webhook.url']],
    [
      'a weak secret',
      { ...a, webhook: { url: 'https://x.example', secret: 'whsec_dGVzdA==' } },
      ['webhook.secret'],
    ],
    ['a webhook of no use', { ...a, webhook: {} }, ['webhook.url']],
    [
      'faults in several places',
      { image: 5, limits: { cpus: 0 }, nope: 1 },
      ['image', 'limits.cpus', 'nope'],
    ],
    ['a list', [], ['']],
    ['null', null, ['']],
    ['a string', '"text"', ['']],
    ['__proto__ at the top', '{"image":"a","__proto__":{"image":"b"}}', ['__proto__']],
    ['__proto__ inside', '{"image":"a","metadata":{"__proto__":"x"}}', ['metadata.__proto__']],
    ['__proto__ in disguise', '{"image":"a","env":{"\\u005f_proto__":"x"}}', ['env.__proto__']],
    ['constructor as a field', '{"image":"a","constructor":{"prototype":{}}}', ['constructor']],
  ])('%s', async (_, body, paths) => {
    const problem = await problemOf(await on.call('POST', '/v1/runs', body), 400, 'validation_failed');
    expect(pathsOf(problem).sort()).toEqual([...paths].sort());
    expect(problem.errors?.every(({ message }) => message.length > 3)).toBe(true);
    expect(({} as Record<string, unknown>).image).toBeUndefined();
  });

  // What `text.slice(0, n)` leaves of an emoji, and of its other half.
  const half = 'cut \ud83d';
  test.each<[path: string, url: string, body: object, named: string[], method?: string]>([
    ...(
      [
        ['code', { language: 'python', code: half }, ['code']],
        ['the other half', { language: 'python', code: '\ude00' }, ['code']],
        ['two that are swapped', { ...a, stdin: '\ude00\ud83d' }, ['stdin']],
        ['image', { image: half }, ['image']],
        [
          'stdin, args, command',
          { ...a, stdin: half, args: ['x', half], command: [half] },
          ['stdin', 'args[1]', 'command[0]'],
        ],
        [
          'entrypoint, workdir',
          { ...a, entrypoint: [half], workdir: `/${half}` },
          ['entrypoint[0]', 'workdir'],
        ],
        [
          'inputs',
          { ...a, inputs: [{ stdin: half, args: [half], expectedStdout: half }] },
          ['inputs[0].stdin', 'inputs[0].args[0]', 'inputs[0].expectedStdout'],
        ],
        ['files', { ...a, files: [{ path: half, content: half }] }, ['files[0].path', 'files[0].content']],
        ['env', { ...a, env: { K: half } }, ['env.K']],
        ['a name in env', { ...a, env: { [half]: 'v' } }, ['env.cut \ufffd']],
        ['metadata', { ...a, metadata: { k: half } }, ['metadata.k']],
        ['a name in metadata', { ...a, metadata: { [half]: 'v' } }, ['metadata.cut \ufffd']],
        ['artifacts', { ...a, artifacts: [half] }, ['artifacts[0]']],
        [
          'webhook',
          { ...a, webhook: { url: `https://x.example/${half}`, secret: half } },
          ['webhook.url', 'webhook.secret'],
        ],
        ['what is no field', { ...a, [half]: { x: 1 } }, ['cut \ufffd']],
      ] as [string, object, string[]][]
    ).map(([name, body, named]): [string, string, object, string[]] => [name, '/v1/runs', body, named]),
    ['services', '/v1/services', { ...a, name: half, health: { path: `/${half}` } }, ['name', 'health.path']],
    ['exec', '/v1/services/web/exec', { command: ['echo', half], stdin: half }, ['command[1]', 'stdin']],
    ['endpoints', '/v1/webhooks', { url: `https://x.example/${half}`, events: [half] }, ['url', 'events[0]']],
    ['a change of an endpoint', '/v1/webhooks/whk_x', { url: half }, ['url'], 'PATCH'],
    ['pulls', '/v1/images/pull', { image: half }, ['image']],
    [
      'credentials',
      '/v1/registries/x.example',
      { username: half, password: half },
      ['username', 'password'],
      'PUT',
    ],
  ])('half a surrogate pair in %s', async (_, path, body, named, method = 'POST') => {
    const problem = await problemOf(await on.call(method, path, body), 400, 'validation_failed');
    expect(pathsOf(problem)).toEqual(named);
    for (const { message } of problem.errors ?? [])
      expect(message).toMatch(/well-formed Unicode: \\u(d83d|de00)/);
  });

  test('half a surrogate pair: the place is told; whole pairs and texts about them are none', async () => {
    const stdin = `\u{1f600}${'x'.repeat(100)}\ud83dy\u{1f600}`;
    const problem = await problemOf(
      await on.call('POST', '/v1/runs', { ...a, stdin }),
      400,
      'validation_failed',
    );
    expect(problem.detail).toContain('\\ud83d at character 102 ');
    const whole = { image: 5, stdin: '\u{1f600}', code: '"\\ud83d"', metadata: { '\u{1f600}': '\\ud83d' } };
    const other = await problemOf(await on.call('POST', '/v1/runs', whole), 400, 'validation_failed');
    expect(pathsOf(other)).toEqual(['image']);
  });

  test('half surrogate pairs by the thousand: so many are named, and no more', async () => {
    const args = Array(1000).fill('\ud83d');
    const problem = await problemOf(
      await on.call('POST', '/v1/runs', { ...a, args }),
      400,
      'validation_failed',
    );
    expect(problem.errors?.length).toBe(100);
  });

  test('a name that is cut for an answer is cut between characters', async () => {
    const problem = await problemOf(
      await on.call('POST', '/v1/runs', { ...a, [`${'x'.repeat(255)}\u{1f600}`]: 1 }),
      400,
      'validation_failed',
    );
    expect(pathsOf(problem).every((path) => path.isWellFormed())).toBe(true);
  });

  test.each(['/a b', '/ž', '/a\0b', '/a\r\nHost: x'])(
    'a health path that cannot be sent: %j',
    async (path) => {
      const problem = await problemOf(
        await on.call('POST', '/v1/services', { ...a, health: { path } }),
        400,
        'validation_failed',
      );
      expect(pathsOf(problem)).toEqual(['health.path']);
    },
  );

  test('in a batch it keeps no other run out', async () => {
    const response = await on.call('POST', '/v1/runs/batch', {
      runs: [
        { ...a, stdin: half },
        { ...a, cpu: 1 },
        { ...a, metadata: { k: half } },
      ],
    });
    expect(response.status).toBe(207);
    const { results } = (await response.json()) as { results: ProblemBody[] };
    expect(results.map(pathsOf)).toEqual([['stdin'], ['cpu'], ['metadata.k']]);
    const around = { runs: [a], [half]: 1 };
    await problemOf(await on.call('POST', '/v1/runs/batch', around), 400, 'validation_failed');
  });

  test.each([
    ['a service', '/v1/services', { image: 'a'.repeat(64) }, ['image']],
    ['a service, by a beginning', '/v1/services', { image: 'cafe0123beef' }, ['image']],
    ['a service, pulled', '/v1/services', { image: 'a'.repeat(64), pull: 'always' }, ['image', 'pull']],
    ['a pull', '/v1/images/pull', { image: 'a'.repeat(64) }, ['image']],
    ['a pull, by a beginning', '/v1/images/pull', { image: 'sha256:cafe' }, ['image']],
  ])('an id where registries are named, of %s', async (_, path, body, paths) => {
    const problem = await problemOf(await on.call('POST', path, body), 400, 'validation_failed');
    expect(pathsOf(problem).sort()).toEqual(paths);
  });

  test('unknown fields are told in one sentence each', async () => {
    const problem = await problemOf(
      await on.call('POST', '/v1/runs', { ...a, foo: 1 }),
      400,
      'validation_failed',
    );
    expect(problem.errors).toEqual([{ path: 'foo', message: 'is not a known field' }]);
    expect(problem.detail).toBe('foo: is not a known field');
  });

  test.each([
    [{ limits: { timeout: 5 } }, 'limits.timeout', 'timeoutMs'],
    [{ timeout: 5 }, 'timeout', 'limits.timeoutMs'],
    [{ limits: { memory: 5 } }, 'limits.memory', 'memoryBytes'],
    [{ memory_bytes: 5 }, 'memory_bytes', 'limits.memoryBytes'],
    [{ source: 'x' }, 'source', 'code'],
    [{ cmd: ['x'] }, 'cmd', 'command'],
    [{ comand: ['x'] }, 'comand', 'command'],
    [{ artefacts: ['x'] }, 'artefacts', 'artifacts'],
    [{ delay_ms: 1 }, 'delay_ms', 'delayMs'],
    [{ files: [{ path: 'a', contents: 'x' }] }, 'files[0].contents', 'content'],
    [{ webhook: { uri: 'https://x.example' } }, 'webhook.uri', 'url'],
  ])('a field that is misspelt, or called as elsewhere: %j', async (more, path, meant) => {
    const problem = await problemOf(
      await on.call('POST', '/v1/runs', { ...a, ...more }),
      400,
      'validation_failed',
    );
    expect(problem.errors).toContainEqual({
      path,
      message: `is not a known field: did you mean ${meant}?`,
    });
  });

  test('in a batch, in a query, and for a service too', async () => {
    const batch = await on.call('POST', '/v1/runs/batch', { runs: [{ ...a, timeout: 5 }] });
    expect(await batch.json()).toMatchObject({
      results: [{ errors: [{ message: expect.stringContaining('did you mean limits.timeoutMs?') }] }],
    });
    const query = await problemOf(await on.call('GET', '/v1/runs?limits=5'), 400, 'validation_failed');
    expect(query.detail).toBe('limits: is not a known query parameter: did you mean limit?');
    const service = { name: 'a', image: 'busybox', keepalive: 'forever' };
    const problem = await problemOf(await on.call('POST', '/v1/services', service), 400, 'validation_failed');
    expect(problem.detail).toContain('did you mean keepAlive?');
  });

  test.each([
    ['command', 'echo "hi"', '["sh","-c","echo \\"hi\\""]'],
    ['command', 'x'.repeat(101), '["sh","-c","…"]'],
    ['args', '5', '["5"]'],
    ['entrypoint', '/bin/sh', '["/bin/sh"]'],
  ])('%s as one text says how to write it', async (field, text, list) => {
    const problem = await problemOf(
      await on.call('POST', '/v1/runs', { ...a, [field]: text }),
      400,
      'validation_failed',
    );
    expect(problem.errors).toEqual([
      { path: field, message: `must be a list of texts, not one text: write ${list}` },
    ]);
  });

  test('an answer to thousands of faults is bounded, and long names are cut', async () => {
    const many = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`f${i}`, i]));
    const problem = await problemOf(
      await on.call('POST', '/v1/runs', { ...a, ...many }),
      400,
      'validation_failed',
    );
    expect(problem.errors?.length).toBe(100);
    const long = await problemOf(
      await on.call('POST', '/v1/runs', { ['x'.repeat(9_000)]: 1 }),
      400,
      'validation_failed',
    );
    expect(pathsOf(long).every((path) => path.length <= 256)).toBe(true);
  });
});

describe('bodies', () => {
  test.each([
    ['no JSON', '{"image":', 'invalid_json'],
    ['two values', '{} {}', 'invalid_json'],
    ['NaN', '{"image":"a","priority":NaN}', 'invalid_json'],
    ['nothing', '', 'invalid_json'],
    ['a very deep list', '['.repeat(30_000), 'invalid_json'],
    ['a very deep object', '{"a":'.repeat(5_000), 'invalid_json'],
    [
      'depth hidden behind strings',
      `{"image":"a\\\\","x":${'['.repeat(40)}${']'.repeat(40)}}`,
      'invalid_json',
    ],
  ])('%s', async (_, body, code) => {
    const problem = await problemOf(await on.call('POST', '/v1/runs', body), 400, code);
    expect(problem.detail).not.toContain('[[');
  });

  test('brackets inside of strings are no depth', async () => {
    const body = JSON.stringify({ image: 5, stdin: `"\\${'['.repeat(1000)}` });
    const problem = await problemOf(await on.call('POST', '/v1/runs', body), 400, 'validation_failed');
    expect(pathsOf(problem)).toEqual(['image']);
  });

  test('bytes that are no UTF-8', async () => {
    const response = await on.call('POST', '/v1/runs', undefined, { 'content-type': 'application/json' });
    await problemOf(response, 400, 'invalid_json');
    const answer = await raw(
      `POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: ${await bearer()}\r\nContent-Type: application/json\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{"image":"\xff"}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('UTF-8');
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
  ])('the type %s', async (type) => {
    await problemOf(
      await on.call('POST', '/v1/runs', JSON.stringify(a), { 'content-type': type }),
      415,
      'unsupported_media_type',
    );
  });

  test('a compressed body', async () => {
    await problemOf(
      await on.call('POST', '/v1/runs', JSON.stringify(a), { 'content-encoding': 'gzip' }),
      415,
      'unsupported_media_type',
    );
  });

  test('a body over the bound, told by its length before it is sent', async () => {
    const answer = await raw(
      `POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: ${await bearer()}\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('payload_too_large');
    expect(answer).toMatch(/connection: close/i);
  });

  test('a chunked body over the bound is cut on the way', async () => {
    const chunk = 'x'.repeat(16_384);
    const chunks = `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(40);
    const answer = await raw(
      `POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: ${await bearer()}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('RUNLET_MAX_BODY_BYTES');
  });

  test('a chunked body within the bound is taken', async () => {
    const answer = await raw(
      `POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: ${await bearer()}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n7\r\n{"image\r\n5\r\n":55}\r\n0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('validation_failed');
  });

  test('what is no HTTP', async () => {
    const answer = await raw('NONSENSE\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('application/problem+json');
  });

  test.each(['a b', 'a/b', 'a@b', '[x'])('a Host header that cannot be: %s', async (host) => {
    const answer = await raw(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('application/problem+json');
  });

  test('headers over the bound', async () => {
    const answer = await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });
});

describe('queries', () => {
  test.each([
    ['/v1/runs?limit=0', ['limit']],
    ['/v1/runs?limit=101', ['limit']],
    ['/v1/runs?limit=ten', ['limit']],
    ['/v1/runs?limit=1&limit=2', ['limit']],
    ['/v1/runs?cursor=nonsense', ['cursor']],
    ['/v1/runs?status=done', ['status']],
    ['/v1/runs?status=queued,', ['status']],
    ['/v1/runs?metdata.k=v', ['metdata.k']],
    ['/v1/runs?metadata=v', ['metadata']],
    ['/v1/runs?metadata.=v', ['metadata.']],
    ['/v1/runs?metadata.k=1&metadata.k=2', ['metadata.k']],
    ['/v1/runs?metadata.__proto__=1', ['metadata.__proto__']],
    ['/v1/runs?__proto__=1', ['__proto__']],
    ['/v1/runs?foo=1&bar=2', ['foo', 'bar']],
    ['/v1/runs/run_x?foo=1', ['foo']],
    ['/v1/runs?metadata.k=%ED%A0%BD', ['metadata.k']],
    ['/v1/runs?metadata.k%FF=v', ['metadata.k\ufffd']],
    ['/v1/runs?status=queued&cursor=%C5', ['cursor']],
    ['/v1/runs/run_%ED%A0%BD', ['id']],
    ['/v1/runs/run_x/artifacts/a/%FF/b', ['path']],
    ['/v1/services/web/files/a%C5', ['path']],
    ['/v1/workers?limit=1000', ['limit']],
    ['/v1/images?cursor=x', ['cursor']],
  ])('%s', async (path, paths) => {
    const problem = await problemOf(await on.call('GET', path), 400, 'validation_failed');
    expect(pathsOf(problem)).toEqual(paths);
  });
});

describe('headers', () => {
  test.each(['', '"', '"a', 'a b', '"a b"', 'é', 'x'.repeat(256), '""'])(
    'Idempotency-Key: %s',
    async (key) => {
      const bytes = Buffer.from(key, 'utf8').toString('latin1');
      const problem = await problemOf(
        await on.call('POST', '/v1/runs', a, { 'idempotency-key': bytes }),
        400,
        'validation_failed',
      );
      expect(pathsOf(problem)).toEqual(['Idempotency-Key']);
    },
  );
});

async function bearer(): Promise<string> {
  const apiKey = 'rlk_for-raw-requests';
  await on.gateway.apiKeys.put(apiKey, { keyId: 'key_raw', tenant: 'default', role: 'admin' });
  return `Bearer ${apiKey}`;
}

/** Sends bytes as they are; the answer until the server closes or says no more. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const { port } = new URL(on.url);
    let answer = '';
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(Buffer.from(bytes, 'latin1')));
    socket.setTimeout(3_000, () => socket.destroy());
    socket.on('data', (data) => {
      answer += data.toString('utf8');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}
