import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runIdOf } from '../../../services/gateway/compat/judge0/token.ts';
import { newId } from '../../../shared/ids.ts';
import { newStep, type StepState } from '../../../shared/stores/run-record.ts';
import { type Call, startGateway, type TestGateway, until } from '../../gateway/support.ts';
import { actAsWorker } from '../../gateway/worker.ts';

// Judge0's protocol without containers: this test plays the worker.

let on: TestGateway;
let worker: ReturnType<typeof actAsWorker>;
beforeAll(async () => {
  on = await startGateway();
  worker = actAsWorker(on);
});
afterAll(() => on.stop());

const python = { language_id: 71, source_code: 'print(input())', stdin: 'hello' };
const MB = 1024 * 1024;

const answered = async (response: Response, status: number) => {
  const text = await response.text();
  expect(response.status, text).toBe(status);
  return JSON.parse(text);
};

async function submitted(body: unknown, query = ''): Promise<{ token: string; id: string }> {
  const { token } = await answered(await on.call('POST', `/judge0/submissions${query}`, body), 201);
  return { token, id: runIdOf(token) ?? '' };
}

const shown = async (token: string, query = '') =>
  answered(await on.call('GET', `/judge0/submissions/${token}${query}`), 200);

/** Ends the run as a program would that ended like this. */
async function end(id: string, step: Partial<StepState>, output: Parameters<typeof worker.append>[1][] = []) {
  const holder = await worker.start(id);
  if (output.length > 0) await worker.append(holder, ...output);
  const whole = {
    ...newStep('run'),
    status: 'failed' as const,
    exitCode: 0,
    cpuMs: 45,
    wallMs: 100,
    ...step,
  };
  await worker.finish(holder, whole.status === 'running' ? 'failed' : (whole.status as 'failed'), {
    steps: [{ ...whole, maxMemoryBytes: 8 * MB }],
  });
}

test.each([
  [{ language_id: 54, compiler_options: `-O1 -DTEXT='a b' -std=c++17` }, ['-O1', '-DTEXT=a b', '-std=c++17']],
  // As Judge0, a language without a compiler lets them be.
  [{ compiler_options: '-O2' }, undefined],
])('the compiler’s options: %j', async (fields, options) => {
  const { id } = await submitted({ ...python, ...fields });
  const { request } = await answered(await on.call('GET', `/v1/runs/${id}`), 200);
  expect(request.compilerOptions).toEqual(options);
});

describe('a submission', () => {
  test('goes from the queue to its result', async () => {
    const { token, id } = await submitted({ ...python, expected_output: 'hello' });
    expect(await shown(token, '?fields=status')).toEqual({ status: { id: 1, description: 'In Queue' } });
    const holder = await worker.start(id);
    expect(await shown(token, '?fields=status_id')).toEqual({ status_id: 2 });
    await worker.out(holder, 'hello  \n\n');
    await worker.finish(holder, 'succeeded', {
      steps: [
        {
          ...newStep('run'),
          status: 'succeeded',
          exitCode: 0,
          cpuMs: 45,
          wallMs: 1000,
          maxMemoryBytes: 8 * MB,
        },
      ],
    });
    expect(await shown(token)).toEqual({
      stdout: 'hello  \n\n',
      time: '0.045',
      memory: 8192,
      stderr: null,
      token,
      compile_output: null,
      message: null,
      status: { id: 3, description: 'Accepted' },
    });
    expect(
      await shown(token, '?base64_encoded=true&fields=stdin,stdout,expected_output,source_code'),
    ).toEqual({
      stdin: 'aGVsbG8=\n',
      stdout: 'aGVsbG8gIAoK\n',
      expected_output: 'aGVsbG8=\n',
      source_code: 'cHJpbnQoaW5wdXQoKSk=\n',
    });
    expect(await shown(token, '?fields=*')).toMatchObject({
      language_id: 71,
      language: { id: 71, name: expect.stringContaining('Python') },
      cpu_time_limit: '5.0',
      wall_time_limit: '10.0',
      memory_limit: 128_000,
      number_of_runs: 1,
      exit_code: 0,
      wall_time: '1.0',
      enable_network: false,
    });
  });

  test('is a run with its limits', async () => {
    const { id } = await submitted({
      ...python,
      language_id: '71',
      cpu_time_limit: '0.5',
      cpu_extra_time: 0.25,
      wall_time_limit: 3,
      memory_limit: 64_000,
      stack_limit: 2048,
      max_processes_and_or_threads: 7,
      max_file_size: 10,
      command_line_arguments: `one 'two three'`,
    });
    const { request } = await answered(await on.call('GET', `/v1/runs/${id}`), 200);
    expect(request).toMatchObject({ language: 'python', args: ['one', 'two three'], network: 'none' });
    expect(request.limits).toMatchObject({
      cpuTimeMs: 750,
      timeoutMs: 3000,
      memoryBytes: 64_000 * 1024,
      stackBytes: 2 * MB,
      pids: 7,
      outputBytes: 10_240,
    });
  });

  test('in base64 may hold any bytes', async () => {
    const bytes = randomBytes(64).toString('base64');
    const { token, id } = await submitted(
      { language_id: 71, source_code: bytes, stdin: bytes },
      '?base64_encoded=true',
    );
    const fields = 'fields=source_code,stdin,stdout';
    await end(id, { status: 'succeeded' }, [{ type: 'stdout', data: Buffer.from(bytes, 'base64') }]);
    const all = await shown(token, `?base64_encoded=true&${fields}`);
    expect(Object.values<string>(all).map((text) => text.replaceAll('\n', ''))).toEqual([
      bytes,
      bytes,
      bytes,
    ]);
    expect(all.stdout.split('\n')[0]).toHaveLength(60);
    expect(await answered(await on.call('GET', `/judge0/submissions/${token}?${fields}`), 400)).toEqual({
      error:
        'some attributes for this submission cannot be converted to UTF-8, use base64_encoded=true query parameter',
    });
    expect(await shown(token, '?fields=token')).toEqual({ token });
  });

  test('is waited for', async () => {
    const { id, answer } = await waiting();
    await end(id, { status: 'succeeded' }, [{ type: 'stdout', data: 'hello\n' }]);
    expect(await answered(await answer, 201)).toMatchObject({ stdout: 'hello\n', status: { id: 3 } });
  });

  test('that is waited for and is no UTF-8 is answered with its token', async () => {
    const { id, answer } = await waiting();
    await end(id, { status: 'succeeded' }, [{ type: 'stdout', data: Buffer.from([0xff]) }]);
    const { token, error } = await answered(await answer, 201);
    expect(runIdOf(token)).toBe(id);
    expect(error).toContain('cannot be converted to UTF-8');
  });

  test('may be sent as any type, with its key in X-Auth-Token', async () => {
    const apiKey = `rlk_${randomBytes(12).toString('hex')}`;
    await on.gateway.apiKeys.put(apiKey, { keyId: newId('key'), tenant: 'default', role: 'user' });
    for (const header of ['x-auth-token', 'x-rapidapi-key']) {
      const response = await fetch(`${on.url}/judge0/submissions`, {
        method: 'POST',
        headers: { [header]: apiKey, 'content-type': 'text/plain' },
        body: JSON.stringify(python),
      });
      expect(response.status).toBe(201);
    }
  });
});

/** Posts a submission whose answer waits, and finds its run. */
async function waiting(): Promise<{ id: string; answer: Promise<Response> }> {
  const queued = async () => {
    const { data } = await answered(await on.call('GET', '/v1/runs?status=queued&limit=100'), 200);
    return data.map(({ id }: { id: string }) => id) as string[];
  };
  const before = new Set(await queued());
  const answer = on.call('POST', '/judge0/submissions?wait=true', python);
  const id = await until(async () => (await queued()).find((one) => !before.has(one)));
  return { id, answer };
}

describe('verdicts', () => {
  const wrote = (text: string) => [{ type: 'stdout' as const, data: text }];
  test.each<[string, Partial<StepState>, string, number, string | null]>([
    ['another output', { status: 'succeeded' }, 'bye', 4, null],
    ['an exit code', { exitCode: 3 }, '', 11, 'Exited with error status 3'],
    ['SIGSEGV', { exitCode: null, signal: 'SIGSEGV' }, '', 7, 'Caught fatal signal 11'],
    ['SIGXFSZ', { exitCode: null, signal: 'SIGXFSZ' }, '', 8, 'Caught fatal signal 25'],
    ['SIGFPE', { exitCode: null, signal: 'SIGFPE' }, '', 9, 'Caught fatal signal 8'],
    ['SIGABRT', { exitCode: null, signal: 'SIGABRT' }, '', 10, 'Caught fatal signal 6'],
    ['another signal', { exitCode: null, signal: 'SIGTERM' }, '', 12, 'Caught fatal signal 15'],
    [
      'too much memory',
      { status: 'out_of_memory', limit: 'memory', exitCode: null, signal: 'SIGKILL' },
      '',
      12,
      'Caught fatal signal 9',
    ],
    [
      'too much output',
      { status: 'output_limit', limit: 'output', exitCode: null, signal: 'SIGKILL' },
      'x',
      8,
      'Caught fatal signal 25',
    ],
    [
      'CPU time',
      { status: 'timed_out', limit: 'cpu', exitCode: null, signal: 'SIGKILL' },
      '',
      5,
      'Time limit exceeded',
    ],
    [
      'more than its CPU time, within the extra',
      { status: 'succeeded', cpuMs: 5500 },
      'hello',
      5,
      'Time limit exceeded',
    ],
    [
      'wall time',
      { status: 'timed_out', limit: 'wall', exitCode: null, signal: 'SIGKILL' },
      '',
      5,
      'Time limit exceeded (wall clock)',
    ],
  ])('%s', async (_, step, output, status, message) => {
    const { token, id } = await submitted({ ...python, expected_output: 'hello' });
    await end(id, step, output === '' ? [] : wrote(output));
    expect(await shown(token, '?fields=status_id,message,stdout')).toEqual({
      status_id: status,
      message,
      stdout: output === '' ? null : output,
    });
  });

  test('what is not compiled has the compiler’s words, and nothing else', async () => {
    const { token, id } = await submitted({ language_id: 50, source_code: 'int main(' });
    await end(id, { name: 'compile', exitCode: 1 }, [
      { type: 'stderr', step: 'compile', data: 'main.c: error' },
    ]);
    expect(await shown(token)).toEqual({
      ...{ stdout: null, stderr: null, time: null, memory: null, message: null },
      token,
      compile_output: 'main.c: error',
      status: { id: 6, description: 'Compilation Error' },
    });
  });

  test('a fault of ours is an internal error', async () => {
    const { token, id } = await submitted(python);
    await answered(await on.call('POST', `/v1/runs/${id}/cancel`), 202);
    expect(await shown(token, '?fields=status')).toEqual({
      status: { id: 13, description: 'Internal Error' },
    });
  });

  test('of several runs the mean is told, and the first that went wrong decides', async () => {
    const { token, id } = await submitted({ ...python, number_of_runs: 3 });
    const holder = await worker.start(id);
    const step = { status: 'succeeded' as const, exitCode: 0, wallMs: 10, maxMemoryBytes: MB };
    await worker.finish(holder, 'failed', {
      steps: [
        { ...newStep('run[0]'), ...step, cpuMs: 10 },
        { ...newStep('run[1]'), ...step, cpuMs: 20, status: 'failed', exitCode: 2 },
        { ...newStep('run[2]'), ...step, cpuMs: 60 },
      ],
    });
    expect(await shown(token, '?fields=status_id,time,stdin,exit_code')).toEqual({
      ...{ status_id: 11, time: '0.03', stdin: 'hello', exit_code: 2 },
    });
  });
});

describe('is refused in Judge0’s words', () => {
  test.each<[Record<string, unknown>, Record<string, string[]>]>([
    [{ source_code: '' }, { source_code: ["can't be blank"] }],
    [{ source_code: undefined }, { source_code: ["can't be blank"] }],
    [{ language_id: undefined }, { language_id: ["can't be blank"] }],
    [{ language_id: 9999 }, { language_id: ["language with id 9999 doesn't exist"] }],
    [{ wall_time_limit: 21 }, { wall_time_limit: ['must be less than or equal to 20.0'] }],
    [{ wall_time_limit: 'x' }, { wall_time_limit: ['is not a number'] }],
    [{ memory_limit: 1 }, { memory_limit: ['must be greater than or equal to 2048'] }],
    [{ number_of_runs: 0 }, { number_of_runs: ['must be greater than 0'] }],
    [{ callback_url: 'https://example.com' }, { callback_url: ['setting callback is not allowed'] }],
    [
      { language_id: 54, compiler_options: '-O2 -o /tmp/x' },
      { compiler_options: [expect.stringContaining('compilerOptions[1]'), expect.any(String)] },
    ],
    [{ language_id: 54, compiler_options: `-O2 '` }, { compiler_options: [expect.any(String)] }],
    [{ additional_files: 'aGVsbG8=' }, { additional_files: ['is not a valid zip archive'] }],
    [{ command_line_arguments: `'` }, { command_line_arguments: ['has a quote that is not closed'] }],
    [{ language_id: 89, source_code: '' }, { additional_files: ["can't be blank"] }],
  ])('%j', async (fields, faults) => {
    const response = await on.call('POST', '/judge0/submissions', { ...python, ...fields });
    expect(await answered(response, 422)).toEqual(faults);
  });

  test('all faults at once', async () => {
    expect(Object.keys(await answered(await on.call('POST', '/judge0/submissions', {}), 422))).toEqual([
      'language_id',
      'source_code',
    ]);
  });

  test.each([
    ['GET', '/submissions/x', undefined, 404, 'There is no submission'],
    ['GET', '/submissions/x?fields=a,token,b', undefined, 400, 'invalid fields: [a, b]'],
    ['POST', '/submissions', '{', 400, 'not valid JSON'],
    ['GET', '/submissions/batch', undefined, 400, 'at least one submission'],
    ['POST', '/submissions/batch', { submissions: Array(21).fill(python) }, 400, 'less than or equal to 20'],
    ['GET', '/submissions', undefined, 403, 'X-Auth-User'],
    ['GET', '/nothing', undefined, 404, 'There is no /judge0/nothing'],
    ['GET', '/languages/7', undefined, 404, 'Language with id 7'],
  ])('%s %s', async (method, path, body, status, message) => {
    const { error } = await answered(await on.call(method, `/judge0${path}`, body), status);
    expect(error).toContain(message);
  });

  test('no key, and somebody else’s token', async () => {
    const { token } = await submitted(python);
    expect((await fetch(`${on.url}/judge0/submissions/${token}`)).status).toBe(401);
    const other: Call = await on.caller('other');
    expect((await other('GET', `/judge0/submissions/${token}`)).status).toBe(404);
    const { submissions } = await answered(
      await other('GET', `/judge0/submissions/batch?tokens=${token}`),
      200,
    );
    expect(submissions).toEqual([null]);
  });

  test('a run of our own API is no submission', async () => {
    const { id } = await answered(
      await on.call('POST', '/v1/runs', { image: 'busybox', metadata: { protocol: 'judge0' } }),
      202,
    );
    const token = `${id.slice(4, 12)}-${id.slice(12, 16)}-4${id.slice(17, 20)}-${id.slice(20, 24)}-${id.slice(24)}`;
    expect((await on.call('GET', `/judge0/submissions/${token}`)).status).toBe(404);
  });

  test('more than the operator lets a run bring', async () => {
    const small = await startGateway({ RUNLET_MAX_PAYLOAD_BYTES: '1024' });
    try {
      for (const field of ['expected_output', 'stdin', 'source_code']) {
        const long = { ...python, [field]: 'x'.repeat(1025) };
        const faults = await answered(await small.call('POST', '/judge0/submissions', long), 422);
        expect(Object.keys(faults)).toEqual([field]);
      }
    } finally {
      await small.stop();
    }
  });

  test('a queue that is full', async () => {
    const full = await startGateway({ RUNLET_TENANT_MAX_RUNS: '1' });
    try {
      expect((await full.call('POST', '/judge0/submissions', python)).status).toBe(201);
      const answer = await full.call('POST', '/judge0/submissions', python);
      expect(await answered(answer, 503)).toEqual({ error: 'queue is full' });
    } finally {
      await full.stop();
    }
  });
});

describe('batches, lists and deletion', () => {
  test('a batch answers for each of its own', async () => {
    const body = { submissions: [python, { ...python, language_id: 1 }, python] };
    const answer = await answered(await on.call('POST', '/judge0/submissions/batch', body), 201);
    expect(answer).toEqual([
      { token: expect.any(String) },
      { language_id: ["language with id 1 doesn't exist"] },
      { token: expect.any(String) },
    ]);
    const tokens = [answer[2].token, 'nobodys', answer[0].token];
    const { submissions } = await answered(
      await on.call('GET', `/judge0/submissions/batch?tokens=${tokens.join(',')}&fields=token`),
      200,
    );
    expect(submissions).toEqual([{ token: tokens[0] }, null, { token: tokens[2] }]);
    const bad = { submissions: [{}] };
    expect((await on.call('POST', '/judge0/submissions/batch', bad)).status).toBe(422);
  });

  test('are listed by pages and deleted by who sends the key twice', async () => {
    const apiKey = `rlk_${randomBytes(12).toString('hex')}`;
    await on.gateway.apiKeys.put(apiKey, { keyId: newId('key'), tenant: 'lists', role: 'user' });
    const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      fetch(`${on.url}/judge0${path}`, {
        method,
        headers: { 'x-auth-token': apiKey, ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    const twice = { 'x-auth-user': apiKey };
    const tokens: string[] = [];
    for (let i = 0; i < 3; i += 1)
      tokens.unshift((await answered(await call('POST', '/submissions', python), 201)).token);
    const page = (query: string) =>
      call('GET', `/submissions?fields=token&${query}`, undefined, twice).then((answer) =>
        answered(answer, 200),
      );
    expect(await page('per_page=2')).toEqual({
      submissions: [{ token: tokens[0] }, { token: tokens[1] }],
      meta: { current_page: 1, next_page: 2, prev_page: null, total_pages: 2, total_count: 3 },
    });
    expect(await page('page=2&per_page=2')).toEqual({
      submissions: [{ token: tokens[2] }],
      meta: { current_page: 2, next_page: null, prev_page: 1, total_pages: 2, total_count: 3 },
    });
    expect((await call('GET', '/submissions?page=0', undefined, twice)).status).toBe(400);

    const path = `/submissions/${tokens[0]}`;
    expect((await call('DELETE', path)).status).toBe(403);
    expect((await call('DELETE', path, undefined, { 'x-auth-user': 'nobodys-key-at-all' })).status).toBe(403);
    expect(await answered(await call('DELETE', path, undefined, twice), 400)).toEqual({
      error: 'submission cannot be deleted because its status is 1 (In Queue)',
    });
    await end(runIdOf(tokens[0] ?? '') ?? '', { status: 'succeeded' }, [{ type: 'stdout', data: 'hi' }]);
    expect(await answered(await call('DELETE', path, undefined, twice), 200)).toMatchObject({
      stdout: 'aGk=\n',
    });
    expect((await call('GET', path)).status).toBe(404);
  });
});

describe('what it tells of itself', () => {
  test('keys are accepted, once and twice', async () => {
    expect((await on.call('POST', '/judge0/authenticate')).status).toBe(200);
    expect((await on.call('POST', '/judge0/authorize')).status).toBe(403);
    expect((await fetch(`${on.url}/judge0/authenticate`, { method: 'POST' })).status).toBe(401);
  });

  test('languages, statuses, bounds and workers', async () => {
    const get = async (path: string) => answered(await on.call('GET', `/judge0${path}`), 200);
    const languages: { id: number; name: string }[] = await get('/languages');
    expect(languages.map(({ id }) => id)).toEqual(
      expect.arrayContaining([45, 46, 50, 54, 62, 63, 71, 74, 82, 89, 110]),
    );
    expect(await get('/languages/50')).toMatchObject({ id: 50, source_file: 'main.c', is_archived: false });
    expect((await get('/languages/all')).length).toBe(languages.length);
    expect((await get('/statuses')).at(-1)).toEqual({ id: 14, description: 'Exec Format Error' });
    expect(await get('/about')).toMatchObject({ version: '1.13.1' });
    expect(await (await on.call('GET', '/judge0/version')).text()).toBe('1.13.1');
    expect(await get('/config_info')).toMatchObject({
      max_wall_time_limit: 20,
      max_submission_batch_size: 20,
    });
    expect((await get('/workers'))[0]).toMatchObject({ queue: '1.13.1', size: expect.any(Number) });
    expect(Object.keys(await get('/system_info'))).toContain('CPU(s)');
  });

  test('no bound is higher than the operator’s', async () => {
    const small = await startGateway({ RUNLET_MAX_TIMEOUT_MS: '3000' });
    try {
      const config = await answered(await small.call('GET', '/judge0/config_info'), 200);
      expect(config).toMatchObject({ wall_time_limit: 3, max_wall_time_limit: 3, cpu_time_limit: 3 });
      expect((await small.call('POST', '/judge0/submissions', python)).status).toBe(201);
    } finally {
      await small.stop();
    }
  });
});
