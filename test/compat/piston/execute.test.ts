import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Step } from '../../../shared/contracts/run.ts';
import { newStep, type RunState } from '../../../shared/stores/run-record.ts';
import { until } from '../../gateway/support.ts';
import { type PistonGateway, python, startPiston } from './support.ts';

let on: PistonGateway;
beforeAll(async () => {
  on = await startPiston({ RUNLET_MAX_TIMEOUT_MS: '20000', RUNLET_MAX_MEMORY_BYTES: '1073741824' });
});
afterAll(() => on.stop());

type Answer = { message?: string; run: Record<string, unknown>; compile?: Record<string, unknown> };

const execute = async (body: unknown) => {
  const response = await on.post('/execute', body);
  return { status: response.status, body: (await response.json()) as Answer };
};

/** What is stored of a request, and its answer once the worker has ended it so. */
async function carriedOut(
  body: unknown,
  status: Parameters<typeof on.worker.finish>[1] = 'succeeded',
  state: Partial<RunState> = {},
  output: Parameters<typeof on.worker.append>[1][] = [],
) {
  const answer = execute(body);
  const id = await on.stored();
  const request = await on.request(id);
  const holder = await on.worker.start(id);
  if (output.length > 0) await on.worker.append(holder, ...output);
  await on.worker.finish(holder, status, state);
  return { request, ...(await answer) };
}

const step = (fields: Partial<Step>) => ({ ...newStep('run'), ...fields });

describe('is refused in Piston’s words', () => {
  const sentence = 'If specified, run_timeout must be a number';
  test.each<[unknown, string]>([
    [[], 'language is required as a string'],
    [null, 'language is required as a string'],
    [{ ...python('1'), language: 7 }, 'language is required as a string'],
    [{ ...python('1'), version: undefined }, 'version is required as a string'],
    [{ ...python('1'), files: 'x' }, 'files is required as an array'],
    [{ ...python('1'), files: [{ content: '' }, {}] }, 'files[1].content is required as a string'],
    [{ ...python('1'), files: [null] }, 'files[0].content is required as a string'],
    [{ ...python('1'), version: '1.0.0' }, 'python-1.0.0 runtime is unknown'],
    [{ ...python('1'), version: 'nonsense' }, 'python-nonsense runtime is unknown'],
    [{ ...python('1'), language: 'klingon' }, 'klingon-* runtime is unknown'],
    [{ ...python('1'), language: '__proto__' }, '__proto__-* runtime is unknown'],
    [{ ...python('1'), files: [] }, 'files must include at least one utf8 encoded file'],
    [
      { ...python('1'), files: [{ content: 'aa', encoding: 'hex' }] },
      'files must include at least one utf8 encoded file',
    ],
    [python('1', { run_timeout: '3000' }), sentence],
    [python('1', { run_timeout: 20001 }), 'run_timeout cannot exceed the configured limit of 20000'],
    [python('1', { compile_timeout: 1e99 }), 'compile_timeout cannot exceed the configured limit of 20000'],
    [python('1', { run_cpu_time: -5 }), 'run_cpu_time must be non-negative'],
    [python('1', { compile_cpu_time: true }), 'If specified, compile_cpu_time must be a number'],
    [
      python('1', { run_memory_limit: 2 ** 40 }),
      'run_memory_limit cannot exceed the configured limit of 1073741824',
    ],
    [python('1', { run_memory_limit: 1000 }), 'run_memory_limit cannot be less than 8388608'],
    [python('1', { stdin: 5 }), 'If specified, stdin must be a string'],
    [python('1', { args: [1] }), 'If specified, args must be an array of strings'],
    [{ ...python('1'), files: [{ name: 5, content: '' }] }, 'files[0].name must be a string'],
  ])('%j', async (body, message) => {
    expect(await execute(body)).toEqual({ status: 400, body: { message } });
  });

  test('a name that leads outside, and one that stands twice', async () => {
    const named = (...names: string[]) => ({
      ...python(''),
      files: names.map((name) => ({ name, content: '' })),
    });
    expect((await execute(named('a/../../b.py'))).body.message).toContain('tries to escape parent directory');
    expect((await execute(named('a.py', './a.py'))).body.message).toMatch(/^files\[\]\.name: stands twice/);
  });

  test('what is no JSON, and no text', async () => {
    const send = async (body: string) => (await on.post('/execute', undefined, { body })).status;
    expect(await send('{')).toBe(400);
    expect(await send('')).toBe(400);
    expect(await send(JSON.stringify(python('1')).replace('"1"', '"\\ud800"'))).toBe(400);
  });
});

describe('becomes a run', () => {
  test('with Piston’s defaults, under any content type', async () => {
    const answer = on.post('/execute', python('print(1)'), { headers: { 'content-type': 'text/plain' } });
    const id = await on.stored();
    expect(await on.request(id)).toMatchObject({
      language: 'python',
      files: [{ path: 'main.py', content: 'print(1)', encoding: 'utf8' }],
      stdin: '\n',
      args: [],
      limits: { timeoutMs: 3000, cpuTimeMs: null },
    });
    await on.worker.perform(id, '1\n');
    expect((await answer).status).toBe(200);
  });

  test('with all that may be said', async () => {
    const { request } = await carriedOut(
      python('x', {
        args: ['a', ''],
        stdin: 'in',
        run_timeout: 1500.5,
        run_cpu_time: 1000,
        run_memory_limit: 100_000_000,
        compile_memory_limit: -1,
      }),
    );
    expect(request).toMatchObject({
      args: ['a', ''],
      stdin: 'in\n',
      limits: { timeoutMs: 1501, cpuTimeMs: 1000, memoryBytes: 100_000_000 },
    });
  });

  test('-1 and 0 are the limits of ours', async () => {
    const { request } = await carriedOut(python('x', { run_memory_limit: -1, run_timeout: 0 }));
    expect(request?.limits).toMatchObject({ memoryBytes: 268_435_456, timeoutMs: 3000 });
  });

  test('its main file is the first text, whatever its name', async () => {
    const { request } = await carriedOut({
      language: 'cpp',
      version: '>=1',
      files: [
        { name: 'data.bin', content: 'AP8=', encoding: 'base64' },
        { name: '/src/prog', content: 'int main(){}' },
        { content: '00ff', encoding: 'hex' },
        { name: 'lib/a.h', content: '' },
      ],
    });
    expect(request?.language).toBe('cpp');
    expect(request?.files.map(({ path, content }) => [path, content])).toEqual([
      ['src/prog.cpp', 'int main(){}'],
      ['data.bin', 'AP8='],
      ['file2.code', 'AP8='],
      ['lib/a.h', ''],
    ]);
  });

  test('also where another file has the language’s usual name', async () => {
    const { request } = await carriedOut({
      language: 'python',
      version: '3',
      files: [
        { name: 'app.py', content: 'import main' },
        { name: 'main.py', content: '' },
      ],
    });
    expect(request).toMatchObject({ workdir: '/work', entrypoint: ['python3'] });
    expect(request?.command?.at(-1)).toBe('app.py');
  });
});

describe('a stage says how it ended', () => {
  const none = { stdout: '', stderr: '', output: '', memory: null, cpu_time: null, wall_time: null };
  const killed = { code: null, signal: 'SIGKILL' };

  test('by itself, with its output, times and memory', async () => {
    const ended = step({
      status: 'succeeded',
      exitCode: 0,
      wallMs: 12.6,
      cpuMs: 3.2,
      maxMemoryBytes: 8_192_000,
    });
    const { body } = await carriedOut(python(''), 'succeeded', { steps: [ended] }, [
      { type: 'stdout', data: 'out\n' },
      { type: 'stderr', data: Buffer.from([0x61, 0xff]) },
    ]);
    expect(body).toEqual({
      language: 'python',
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      run: {
        stdout: 'out\n',
        stderr: 'a\ufffd',
        output: 'out\na\ufffd',
        code: 0,
        signal: null,
        message: null,
        status: null,
        memory: 8_192_000,
        cpu_time: 3,
        wall_time: 13,
      },
    });
  });

  const failed = { status: 'failed', exitCode: 3, signal: null } as const;
  const late = { status: 'timed_out', exitCode: 137, signal: 'SIGKILL', limit: 'wall' } as const;
  test.each<[Partial<Step>, Record<string, unknown>]>([
    [failed, { code: 3, signal: null, status: 'RE', message: 'Exited with error status 3' }],
    [
      { status: 'failed', exitCode: 139, signal: 'SIGSEGV' },
      { code: null, signal: 'SIGSEGV', status: 'SG', message: 'Caught fatal signal 11' },
    ],
    [
      { status: 'out_of_memory', exitCode: 137, signal: 'SIGKILL', limit: 'memory' },
      { ...killed, status: 'SG', message: 'Caught fatal signal 9' },
    ],
    [late, { ...killed, status: 'TO', message: 'Time limit exceeded (wall clock)' }],
    [
      { ...late, limit: 'cpu' },
      { ...killed, status: 'TO', message: 'Time limit exceeded' },
    ],
    [
      { ...late, status: 'cancelled' },
      { code: null, signal: null, status: 'XX' },
    ],
  ])('%j', async (ended, expected) => {
    const { body } = await carriedOut(python(''), ended.status as 'failed', { steps: [step(ended)] });
    expect(body.run).toMatchObject({ ...none, ...expected });
  });

  test.each([
    ['stdout', 'OL'],
    ['stderr', 'EL'],
  ] as const)('too much on %s', async (type, status) => {
    const ended = step({ status: 'output_limit', exitCode: 137, signal: 'SIGKILL', limit: 'output' });
    const { body } = await carriedOut(python(''), 'output_limit', { steps: [ended] }, [{ type, data: 'xx' }]);
    expect(body.run).toMatchObject({ ...killed, status, message: `${type} length exceeded` });
  });

  const cpp = { language: 'c++', version: '*', files: [{ content: 'int main(){}' }] };

  test('of a program that is compiled', async () => {
    const steps = [
      { ...step(failed), name: 'compile', status: 'succeeded' as const, exitCode: 0 },
      step(failed),
    ];
    const { body } = await carriedOut(cpp, 'failed', { steps }, [
      { type: 'stderr', step: 'compile', data: 'warning' },
      { type: 'stdout', data: 'ran' },
    ]);
    expect(body).toMatchObject({
      language: 'c++',
      compile: { stderr: 'warning', output: 'warning', code: 0, status: null },
      run: { stdout: 'ran', stderr: '', code: 3, status: 'RE' },
    });
  });

  test('of one that was not: its run is its compilation', async () => {
    const steps = [{ ...step({ ...failed, exitCode: 1 }), name: 'compile' }];
    const { body } = await carriedOut(cpp, 'failed', { steps }, [
      { type: 'stderr', step: 'compile', data: 'error:' },
    ]);
    expect(body.compile).toMatchObject({ stderr: 'error:', code: 1, status: 'RE' });
    expect(body.run).toEqual(body.compile);
  });

  test('of one that could not be started', async () => {
    const error = { code: 'image_not_found', status: 404, title: 't', type: 't', detail: 'There is none.' };
    const { status, body } = await carriedOut(python(''), 'errored', {
      steps: [],
      error: { ...error, links: { documentation: '/' } },
    });
    expect(status).toBe(200);
    expect(body.run).toEqual({ ...none, code: null, signal: null, message: 'There is none.', status: 'XX' });
  });
});

test('a fault that may pass is one of the server, to be tried again', async () => {
  const error = { code: 'worker_lost', status: 500, title: 't', type: 't', detail: 'The worker was lost.' };
  const answer = await carriedOut(python(''), 'errored', {
    error: { ...error, links: { documentation: '/' } },
  });
  expect(answer).toMatchObject({ status: 500, body: { message: 'The worker was lost.' } });
});

test('a client that hangs up cancels its run', async () => {
  const leave = new AbortController();
  const answer = on.post('/execute', python('input()'), { signal: leave.signal });
  const id = await on.stored();
  leave.abort();
  await expect(answer).rejects.toThrow();
  await until(async () => (await on.gateway.runs.status(id)) === 'cancelled');
});

test('a server that stops cancels it too, and says so', async () => {
  const other = await startPiston();
  const answer = other.post('/execute', python(''));
  const id = await other.stored();
  other.gateway.stopWaiting.abort();
  const { status, headers } = await answer;
  expect([status, headers.get('retry-after')]).toEqual([503, '1']);
  await until(async () => (await other.gateway.runs.status(id)) === 'cancelled');
  await other.stop();
});

test('who is over the quota is told when to come back', async () => {
  const small = await startPiston({ RUNLET_TENANT_MAX_RUNS: '1' });
  const first = small.post('/execute', python('1'));
  const id = await small.stored();
  const second = await small.post('/execute', python('2'));
  expect(second.status).toBe(429);
  expect(second.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(await second.json()).toEqual({ message: expect.stringMatching(/./) });
  await small.worker.perform(id);
  expect((await first).status).toBe(200);
  await small.stop();
});
