import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cleanUp, runCli, startCli, userFolder } from './support/cli.ts';
import { StubApi } from './support/stub-api.ts';
import { exit, pull, status, stderr, stdout } from './support/stub-runs.ts';

let api: StubApi;
beforeEach(async () => {
  api = await new StubApi().start();
  api.script = { events: [status('queued', 0), status('running'), exit('succeeded', { exitCode: 0 })] };
});
afterEach(() => api.stop());
afterAll(cleanUp);

const cli = (args: string[], options = {}) => runCli(args, { url: api.url, ...options });
const sent = () => api.requests('POST', '/v1/runs').at(-1)?.body as Record<string, unknown>;

describe('runlet run', () => {
  it('shows both streams apart and exits as the program did', async () => {
    api.script.events = [
      status('running'),
      stdout('out\n'),
      stderr('err\n'),
      stdout('more'),
      exit('failed', { exitCode: 3 }),
    ];
    const ended = await cli(['run', 'busybox', 'sh', '-c', 'exit 3']);
    expect(ended).toMatchObject({ code: 3, out: 'out\nmore', stderr: 'err\n' });
    expect(sent()).toEqual({ image: 'busybox', command: ['sh', '-c', 'exit 3'] });
  });

  it('passes every byte, in whatever encoding and pieces it comes', async () => {
    const bytes = randomBytes(300_000);
    const pieces = Array.from({ length: 30 }, (_, i) => bytes.subarray(i * 10_000, (i + 1) * 10_000));
    api.script.events = [
      ...pieces.map((piece) => stdout(piece.toString('base64'), 'base64')),
      stdout('\u2028 ünïcode \r\n\n'),
      exit('succeeded', { exitCode: 0 }),
    ];
    const { stdout: output } = await cli(['run', 'busybox']);
    expect(output.equals(Buffer.concat([bytes, Buffer.from('\u2028 ünïcode \r\n\n')]))).toBe(true);
  });

  it('sends what its options say, and no more', async () => {
    const folder = userFolder();
    const file = join(folder.path, 'vars');
    writeFileSync(file, '# ours\nFROM_FILE=1\nA=file\n');
    const options =
      '-e A=b=c -e OWN -w /srv --entrypoint /bin/cat --timeout 1m30s --cpu-time 2s -m 256m --stack 64m --cpus 0.5 --pids 9 ' +
      '--output-limit 1k --disk 1g --network egress --isolation gvisor --pull never --priority 5 --delay 1s ' +
      '--retries 2 --writable --metadata job=nightly --metadata n=1';
    const args = ['run', '--env-file', file, ...options.split(' '), 'debian:13', '--', '-la', '--json', '--'];
    const ended = await cli(args, { env: { OWN: 'mine' } });
    folder.remove();
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(sent()).toEqual({
      image: 'debian:13',
      command: ['-la', '--json', '--'],
      entrypoint: ['/bin/cat'],
      env: { FROM_FILE: '1', A: 'b=c', OWN: 'mine' },
      workdir: '/srv',
      limits: {
        timeoutMs: 90_000,
        cpuTimeMs: 2000,
        memoryBytes: 268_435_456,
        stackBytes: 67_108_864,
        cpus: 0.5,
        pids: 9,
        outputBytes: 1024,
        diskBytes: 1_073_741_824,
      },
      network: 'egress',
      isolation: 'gvisor',
      pull: 'never',
      priority: 5,
      delayMs: 1000,
      retries: 2,
      writable: true,
      metadata: { job: 'nightly', n: '1' },
    });
  });

  it('pipes stdin: text as it is, bytes as base64, none with --no-stdin', async () => {
    await cli(['run', 'busybox'], { stdin: 'grüße' });
    expect(sent()).toMatchObject({ stdin: 'grüße', stdinEncoding: 'utf8' });
    await cli(['run', 'busybox'], { stdin: Buffer.from([0xff, 0x00, 0xfe]) });
    expect(sent()).toMatchObject({ stdin: '/wD+', stdinEncoding: 'base64' });
    await cli(['run', '--no-stdin', 'busybox'], { stdin: 'unread' });
    expect(sent()).not.toHaveProperty('stdin');
    await cli(['run', 'busybox'], { stdin: '' });
    expect(sent()).not.toHaveProperty('stdin');
  });

  it('refuses more stdin than it can send', async () => {
    const ended = await cli(['run', 'busybox'], { stdin: Buffer.alloc(8 * 1024 * 1024 + 1) });
    expect(ended).toMatchObject({ code: 2, out: '' });
    expect(ended.stderr).toContain('larger than 8 MiB');
    expect(api.seen).toEqual([]);
  });

  it.each([
    ['timed_out', 124, '--timeout'],
    ['out_of_memory', 137, '--memory'],
    ['output_limit', 1, '--output-limit'],
    ['cancelled', 130, 'cancelled'],
  ] as const)('ends with its code and a reason when the run is %s', async (state, code, reason) => {
    api.script.events = [stdout('some'), exit(state)];
    const loud = await cli(['run', 'busybox']);
    expect(loud).toMatchObject({ code, out: 'some' });
    expect(loud.stderr).toContain(reason);
    expect(await cli(['run', '-q', 'busybox'])).toMatchObject({ code, out: 'some', stderr: '' });
  });

  it.each([
    ['timed_out', 'wall_limit', '--timeout sets it'],
    ['timed_out', 'cpu_limit', '--cpu-time sets it'],
    ['out_of_memory', 'memory_limit', '--memory sets it'],
    ['out_of_memory', 'kernel_memory_limit', 'close or release'],
    ['output_limit', 'output_limit', '--output-limit sets it'],
  ] as const)('says in a line which limit it was: %s by %s', async (state, code, words) => {
    const error = { type: `x/${code}`, title: 'A limit', status: 422, detail: 'In full.', code };
    api.script.events = [stdout('some'), exit(state, { error })];
    const { stderr } = await cli(['run', 'busybox']);
    expect(stderr).toMatch(new RegExp(`^runlet: [^\\n]*${words}[^\\n]*\\n$`));
    if (code === 'kernel_memory_limit') expect(stderr).not.toContain('--memory');
  });

  it('says of what is executed in a service that its memory limit is the service’s', async () => {
    const error = { type: 'x/m', title: 'A limit', status: 422, detail: 'In full.', code: 'memory_limit' };
    api.script.events = [exit('out_of_memory', { error })];
    const { code, stderr } = await cli(['exec', 'web', 'true']);
    expect(code).toBe(137);
    expect(stderr).toMatch(/^runlet: [^\n]*killed; `runlet up --memory` sets it\.\n$/);
  });

  it('tells why the system could not run it', async () => {
    const error = {
      type: 'https://runlet.dev/problems/image_not_found',
      title: 'The image does not exist',
      status: 404,
      detail: 'Check the spelling of "nope".',
      code: 'image_not_found',
    };
    api.script.events = [status('pulling'), exit('errored', { error })];
    const ended = await cli(['run', '--quiet', 'nope']);
    expect(ended).toMatchObject({ code: 125, out: '' });
    expect(ended.stderr).toBe('runlet: The image does not exist\n  Check the spelling of "nope".\n');
  });

  it('shows a pull as a few plain lines where nobody watches, and not at all with --quiet', async () => {
    const layer = (currentBytes: number) => [
      { id: 'sha256:aa', status: 'downloading', currentBytes, totalBytes: 4_194_304 },
    ];
    const steps = [0, 1000, 2_097_152, 2_100_000, 4_194_304].map((bytes) => pull('pulling', layer(bytes)));
    api.script.events = [...steps, pull('done'), stdout('ok'), exit('succeeded', { exitCode: 0 })];
    const { stderr: lines, out } = await cli(['run', 'busybox']);
    expect(lines.split('\n')).toEqual([
      'Pulling busybox:latest',
      'Pulling busybox:latest: 2.0 MiB of 4.0 MiB',
      'Pulling busybox:latest: 4.0 MiB of 4.0 MiB',
      'Pulled busybox:latest',
      '',
    ]);
    expect(out).toBe('ok');
    expect((await cli(['run', '-q', 'busybox'])).stderr).toBe('');
  });

  it('says when a lost worker makes the output start anew', async () => {
    api.script.events = [
      status('running', 1),
      stdout('ha'),
      status('queued', 1),
      status('running', 2),
      stdout('half\n'),
      exit('succeeded', { exitCode: 0, attempt: 2 }),
    ];
    const ended = await cli(['run', '--retries', '1', 'busybox']);
    expect(ended).toMatchObject({ code: 0, out: 'hahalf\n' });
    expect(ended.stderr).toContain('the output of attempt 2 starts anew');
  });

  it('prints the finished run alone with --json, the id alone with --detach', async () => {
    api.script.events = [stdout('not here'), exit('failed', { exitCode: 4 })];
    const json = await cli(['run', '--json', 'busybox']);
    expect(json.code).toBe(4);
    expect(JSON.parse(json.out)).toMatchObject({
      status: 'failed',
      exitCode: 4,
      image: { reference: 'busybox' },
    });
    const detached = await cli(['run', '--detach', 'busybox']);
    expect(detached.code).toBe(0);
    expect(api.runs.has(detached.out.trim())).toBe(true);
    // The events are the answer to the POST; who detaches asks for none.
    expect(api.requests('POST', '/v1/runs').map(({ headers }) => headers.accept)).toEqual([
      'text/event-stream',
      'application/json',
    ]);
    expect(api.requests('GET', /events/)).toEqual([]);
    expect(JSON.parse((await cli(['--json', 'run', '-d', 'busybox'])).out).id).toMatch(/^run_/);
  });

  it('names each option that the server refuses, in units that people read', async () => {
    const args = ['run', '-m', '2t', '--timeout', '2h', '-w', 'relative', 'busybox'];
    const ended = await cli(args);
    expect(ended.code).toBe(125);
    expect(ended.stderr).toContain('--memory: the most is 1 TiB\n');
    expect(ended.stderr).toContain('--timeout: the most is 1h\n');
    expect(ended.stderr).toContain('--workdir: must be an absolute path\n');
    const json = await cli(['run', '--json', '-w', 'relative', 'busybox']);
    expect(JSON.parse(json.stderr).errors).toEqual([
      { path: 'workdir', message: 'must be an absolute path' },
    ]);
    expect(json.out).toBe('');
  });
});

describe('what a newcomer is told of a run', () => {
  const problem = (code: string, title = 'A title', detail = 'A detail.') => ({
    type: `x/${code}`,
    title,
    status: 422,
    detail,
    code,
  });
  const errored = (code: string) => [status('running'), exit('errored', { error: problem(code) })];

  it.each([
    ['command_not_found', 127],
    ['command_not_executable', 126],
    ['image_without_command', 125],
  ])('exits as Docker does: %s is %d', async (code, exitCode) => {
    api.script.events = errored(code);
    expect((await cli(['run', 'busybox', 'nope'])).code).toBe(exitCode);
  });

  it.each<[args: string[], hint: string]>([
    [['busybox', '--timeout', '5s', 'echo'], '`runlet run --timeout … busybox`'],
    [['python:3.11', '-c', 'print(1)'], '`runlet run --lang python -c CODE`'],
    [['busybox', 'echo hi'], "`runlet run busybox echo hi`, or `runlet run busybox sh -c 'echo hi'`"],
  ])('what %j should have been', async (args, hint) => {
    api.script.events = errored('command_not_found');
    expect((await cli(['run', ...args])).stderr).toContain(hint);
    expect((await cli(['run', '--entrypoint', 'x', ...args])).stderr).not.toContain(hint);
  });

  it('that an image’s name is also a folder’s here, or a language’s', async () => {
    const folder = userFolder();
    mkdirSync(join(folder.path, 'proj'));
    api.script.events = errored('image_not_found');
    const ended = await cli(['run', 'proj'], { cwd: folder.path });
    folder.remove();
    expect(ended.stderr).toContain('proj is also a folder here. To run a program in it, name the file');
    expect((await cli(['run', 'javascript'])).stderr).toContain('`runlet run --lang javascript -c CODE`');
    const image = {
      digest: null,
      id: 'sha256:1',
      sizeBytes: 1,
      createdAt: '2026-11-01T00:00:00.000Z',
      workers: ['w'],
    };
    api.images = [{ reference: 'hello-world:latest', ...image }];
    expect((await cli(['run', 'hello-wrold'])).stderr).toContain('Did you mean hello-world?');
    expect((await cli(['run', 'nothing-known'])).stderr).toBe('runlet: A title\n  A detail.\n');
  });

  it.each([
    'socket.gaierror: [Errno -3] Temporary failure in name resolution',
    'OSError: [Errno 101] Network is unreachable',
    'Error: getaddrinfo EAI_AGAIN example.com',
    'curl: (6) Could not resolve host: example.com',
    "wget: bad address 'example.com'",
    'dial tcp: lookup example.com on [::1]:53: no such host',
  ])('that it has no network: %s', async (text) => {
    const middle = Math.floor(text.length / 2);
    const words = [stderr(text.slice(0, middle)), stderr(`${text.slice(middle)}\n`)];
    api.script.events = [status('running'), ...words, exit('failed', { exitCode: 1 })];
    const note = 'runlet: The run has no network: --network egress gives it one.\n';
    expect((await cli(['run', 'busybox'])).stderr).toBe(`${text}\n${note}`);
    expect((await cli(['run', '--network', 'egress', 'busybox'])).stderr).toBe(`${text}\n`);
    api.script.events = [status('running'), ...words, exit('succeeded', { exitCode: 0 })];
    expect((await cli(['run', 'busybox'])).stderr).toBe(`${text}\n`);
  });

  it('that nothing matched a glob', async () => {
    const args = ['run', '--artifact', 'none/*', 'busybox', 'true'];
    const ended = await cli(args);
    expect(ended).toMatchObject({ code: 0, out: '' });
    expect(ended.stderr).toContain("Nothing matched --artifact 'none/*': no file was kept.");
    expect((await cli(['run', 'busybox', 'true'])).stderr).toBe('');
    api.script.events = errored('image_not_found');
    expect((await cli(args)).stderr).not.toContain('Nothing matched');
  });

  it('that the registry is being asked, where that takes long', async () => {
    api.script = { events: [status('pulling'), exit('cancelled')], hold: true };
    const running = startCli(['run', 'busybox'], { url: api.url });
    await vi.waitFor(() => expect(running.stderrSoFar()).toContain('Asking the registry for busybox …'), {
      timeout: 60_000,
    });
    for (const run of api.runs.values()) run.cancel();
    expect(await running.ended).toMatchObject({ code: 130 });
  });
});
