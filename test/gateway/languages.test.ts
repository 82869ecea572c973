import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listLanguages } from '../../shared/languages/index.ts';
import { newStep } from '../../shared/stores/run-record.ts';
import { pathsOf, problemOf, runOf, startGateway, type TestGateway } from './support.ts';
import { actAsWorker } from './worker.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway({ RUNLET_MAX_PAYLOAD_BYTES: '100000' });
});
afterAll(() => on.stop());

const python = { language: 'python', code: 'print(1)' };
const file = (path: string, content = '') => ({ path, content });

test('every language is listed, with what a client needs to know', async () => {
  const { data } = (await (await on.call('GET', '/v1/languages')).json()) as {
    data: Record<string, unknown>[];
  };
  expect(data.map(({ name }) => name)).toEqual(listLanguages().map(({ name }) => name));
  for (const one of data)
    expect(Object.keys(one).sort()).toEqual(['aliases', 'compiled', 'fileName', 'image', 'name', 'version']);
  expect(data.find(({ name }) => name === 'c')).toMatchObject({ compiled: true, fileName: 'main.c' });
  expect(data.find(({ name }) => name === 'python')).toMatchObject({ compiled: false, fileName: 'main.py' });
});

test('a run in a language is stored whole, and shown with its code; its secrets are not', async () => {
  const body = {
    ...python,
    args: ['a'],
    inputs: [{ stdin: '1' }, { stdin: 'Mg==', stdinEncoding: 'base64', args: ['x'] }],
    artifacts: ['out/**'],
    env: { TOKEN: 'very-secret' },
  };
  const run = await runOf(await on.call('POST', '/v1/runs', body), 202);
  expect(run.image).toBeNull();
  expect(run.request).toMatchObject({
    ...body,
    inputs: [{ stdin: '1', stdinEncoding: 'utf8' }, body.inputs[1]],
    workdir: '/work',
    files: [],
    env: { TOKEN: '***' },
  });
  const claim = await on.gateway.runs.claim(run.id, 'w1');
  expect(claim).toMatchObject({ verdict: 'claimed', request: { ...body, workdir: '/work', env: body.env } });
});

test('what is expected reaches the worker, and is sealed on its way', async () => {
  const inputs = [{ stdin: '1', stdinEncoding: 'utf8', expectedStdout: 'expected-of-one\n' }];
  const run = await runOf(await on.call('POST', '/v1/runs', { ...python, inputs, stopOnFailure: true }), 202);
  expect(run.request).toMatchObject({ inputs, stopOnFailure: true });
  for (const stored of Object.values(await on.redis.hgetallBuffer(on.keys.run(run.id))))
    expect(stored.includes('expected-of-one')).toBe(false);
  expect(await on.gateway.runs.claim(run.id, 'w1')).toMatchObject({
    request: { inputs, stopOnFailure: true },
  });
});

test('its steps are answered one by one, a compiler’s words apart', async () => {
  const run = await runOf(
    await on.call('POST', '/v1/runs', { language: 'c', code: 'x', inputs: [{}, {}] }),
    202,
  );
  const worker = actAsWorker(on);
  const holder = await worker.start(run.id);
  await worker.append(
    holder,
    { type: 'stderr', step: 'compile', data: 'warning' },
    { type: 'stdout', step: 'run[0]', data: 'a' },
    { type: 'stdout', step: 'run[1]', data: 'b' },
  );
  const step = (name: string, status: 'succeeded' | 'failed', exitCode: number) => ({
    ...newStep(name),
    ...{ status, exitCode, wallMs: 1, cpuMs: 1, maxMemoryBytes: 1 },
  });
  await worker.finish(holder, 'failed', {
    exitCode: 1,
    steps: [step('compile', 'succeeded', 0), step('run[0]', 'failed', 1), step('run[1]', 'succeeded', 0)],
  });
  const done = await runOf(await on.call('GET', `/v1/runs/${run.id}`), 200);
  expect(done).toMatchObject({ stdout: 'ab', stderr: '' });
  expect(done.steps).toMatchObject([
    { name: 'compile', stderr: 'warning' },
    { name: 'run[0]', status: 'failed', stdout: 'a' },
    { name: 'run[1]', status: 'succeeded', stdout: 'b' },
  ]);
});

test.each(['python', 'PYTHON', 'py', 'python@3', 'python@3.11', 'python@>=3.10 <4', 'python@*'])(
  '%s is a name for it',
  async (language) => {
    await runOf(await on.call('POST', '/v1/runs', { ...python, language }), 202);
  },
);

describe('refused', () => {
  test.each<[name: string, body: unknown, paths: string[]]>([
    ['an unknown language', { language: 'cobol', code: 'x' }, ['language']],
    ['a version that is not there', { ...python, language: 'python@2' }, ['language']],
    ['a version that is none', { ...python, language: 'python@newest' }, ['language']],
    ['a language that is a path', { ...python, language: '../python' }, ['language']],
    ['a property of all objects', { ...python, language: 'constructor' }, ['language']],
    ['no language', { language: '', code: 'x' }, ['language']],
    ['a language that is no text', { language: 5, code: 'x' }, ['language']],
    ['no program', { language: 'python' }, ['code']],
    ['two programs', { ...python, files: [file('a.py')] }, ['files']],
    ['code that is no text', { language: 'python', code: 5 }, ['code']],
    ['a command', { ...python, command: ['sh'] }, ['command']],
    ['an entrypoint', { ...python, entrypoint: ['sh'] }, ['entrypoint']],
    ['an image beside it', { ...python, image: 'busybox' }, ['language']],
    ['a workdir that is null', { ...python, workdir: null }, ['workdir']],
    ['limits that are null', { ...python, limits: null }, ['limits']],
    ['limits that are a list', { ...python, limits: [] }, ['limits']],
    ['code beyond the bound', { language: 'python', code: 'x'.repeat(100_001) }, ['code']],
    ['files beyond the bound', { language: 'python', files: [file('a.py', 'é'.repeat(50_001))] }, ['files']],
    ['stdin beyond the bound', { ...python, stdin: 'x'.repeat(100_001) }, ['stdin']],
    [
      'inputs beyond the bound',
      { ...python, inputs: Array(11).fill({ stdin: 'x'.repeat(10_000) }) },
      ['inputs'],
    ],
    [
      'expected output beyond the bound',
      { ...python, inputs: [{ expectedStdout: 'x'.repeat(100_001) }] },
      ['inputs'],
    ],
    [
      'several at once',
      { language: 'python', command: [], stdin: '', inputs: [{}] },
      ['code', 'command', 'stdin'],
    ],
  ])('%s', async (_, body, paths) => {
    const problem = await problemOf(await on.call('POST', '/v1/runs', body), 400, 'validation_failed');
    expect(pathsOf(problem).sort()).toEqual(paths);
  });

  test('an unknown language is told what there is; a version, which one', async () => {
    const unknown = await problemOf(
      await on.call('POST', '/v1/runs', { language: 'cobol', code: 'x' }),
      400,
      'validation_failed',
    );
    for (const { name } of listLanguages()) expect(unknown.errors?.[0]?.message).toContain(name);
    const version = await problemOf(
      await on.call('POST', '/v1/runs', { ...python, language: 'python@2' }),
      400,
      'validation_failed',
    );
    expect(version.errors?.[0]?.message).toMatch(/python is 3\.\d+\.\d+ here/);
  });

  test('a language whose image the operator does not allow, in a batch too', async () => {
    const strict = await startGateway({ RUNLET_REGISTRIES: 'registry.example' });
    const problem = await problemOf(await strict.call('POST', '/v1/runs', python), 400, 'validation_failed');
    expect(problem.errors).toEqual([
      { path: 'language', message: 'comes from docker.io; the operator allows registry.example' },
    ]);
    const batch = await strict.call('POST', '/v1/runs/batch', {
      runs: [python, { ...python, language: 'x' }],
    });
    const { results } = (await batch.json()) as { results: { errors: { path: string }[] }[] };
    expect(results.map(({ errors }) => errors.map(({ path }) => path))).toEqual([['language'], ['language']]);
    await strict.stop();
  });

  test('files that the work folder could not hold', async () => {
    const body = {
      language: 'python',
      limits: { diskBytes: 1024 * 1024 },
      files: Array.from({ length: 2 }, (_, i) => file(`f${i}`, 'x'.repeat(600 * 1024))),
    };
    const roomy = await startGateway();
    const problem = await problemOf(await roomy.call('POST', '/v1/runs', body), 400, 'validation_failed');
    expect(problem.errors?.[0]).toMatchObject({
      path: 'files',
      message: expect.stringContaining('diskBytes'),
    });
    await roomy.stop();
  });
});
