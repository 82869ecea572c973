import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { artifactKey } from '../../../shared/blobs/blob-store.ts';
import type { Run } from '../../../shared/contracts/run.ts';
import type { TerminalStatus } from '../../../shared/run-states.ts';
import { newStep } from '../../../shared/stores/run-record.ts';
import { type Call, startGateway, type TestGateway, until } from '../../gateway/support.ts';
import { actAsWorker } from '../../gateway/worker.ts';

// SandboxFusion's API as its documentation has it, against a gateway whose worker is played.

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway({ RUNLET_MAX_BODY_BYTES: '100000' });
});
afterAll(() => on.stop());

const program = { code: 'print(1)', language: 'python' };
const post = (body: unknown, headers?: Record<string, string>) =>
  on.call('POST', '/fusion/run_code', body, headers);

/** The only run of a tenant of its own, once it is stored. */
async function asked(body: Record<string, unknown>) {
  const call = await on.caller(`fusion${crypto.randomUUID().slice(0, 8)}`);
  const answer = call('POST', '/fusion/run_code', body);
  return { answer, id: await storedRun(call), call };
}

const storedRun = (call: Call) =>
  until(async () => {
    const { data } = (await (await call('GET', '/v1/runs')).json()) as { data: Run[] };
    return data[0]?.id;
  });

const end = (status: TerminalStatus, step: object, more = {}) => ({
  status,
  state: { steps: [{ ...newStep('run'), status, ...step }], ...more },
});

describe('POST /run_code answers with 200', () => {
  test('what a program wrote, under any content type', async () => {
    const call = await on.caller('fusion-types');
    const answer = call('POST', '/fusion/run_code', JSON.stringify(program), {
      'content-type': 'text/plain',
    });
    const worker = actAsWorker(on);
    const holder = await worker.start(await storedRun(call));
    await worker.out(holder, 'hello\n');
    const { status, state } = end('succeeded', { exitCode: 0, wallMs: 1234.5 });
    await worker.finish(holder, status, state);
    expect((await answer).status).toBe(200);
    expect(await (await answer).json()).toEqual({
      status: 'Success',
      message: '',
      compile_result: null,
      run_result: {
        status: 'Finished',
        execution_time: 1.2345,
        return_code: 0,
        stdout: 'hello\n',
        stderr: '',
      },
      executor_pod_name: null,
      files: {},
    });
  });

  const error = (code: string) => ({
    type: code,
    title: code,
    status: 422,
    detail: `of ${code}`,
    code,
  });

  test.each([
    [
      'another exit code',
      end('failed', { exitCode: 3 }),
      { status: 'Failed', message: '', run_result: { status: 'Finished', return_code: 3 } },
    ],
    [
      'a signal',
      end('failed', { exitCode: 139, signal: 'SIGSEGV' }),
      { status: 'Failed', run_result: { status: 'Finished', return_code: -11 } },
    ],
    [
      'lateness',
      end('timed_out', { exitCode: 137, signal: 'SIGKILL', limit: 'wall' }, { error: error('wall_limit') }),
      {
        status: 'Failed',
        message: '',
        run_result: { status: 'TimeLimitExceeded', return_code: null, stdout: 'kept\n' },
      },
    ],
    [
      'greed',
      end(
        'out_of_memory',
        { exitCode: 137, signal: 'SIGKILL', limit: 'memory' },
        { error: error('memory_limit') },
      ),
      {
        status: 'Failed',
        message: 'of memory_limit',
        run_result: { status: 'Finished', return_code: -9 },
      },
    ],
    [
      'a fault of ours',
      end('errored', {}, { error: error('container_lost') }),
      { status: 'SandboxError', message: 'of container_lost', run_result: null },
    ],
  ])('%s', async (_, { status, state }, expected) => {
    const { answer, id } = await asked(program);
    const worker = actAsWorker(on);
    const holder = await worker.start(id);
    await worker.out(holder, 'kept\n');
    await worker.finish(holder, status, state);
    expect((await answer).status).toBe(200);
    expect(await (await answer).json()).toMatchObject(expected);
  });

  test('a compiler’s errors, and no program', async () => {
    const { answer, id } = await asked({ code: 'int main(', language: 'cpp' });
    const worker = actAsWorker(on);
    const holder = await worker.start(id);
    await worker.append(holder, { type: 'stderr', step: 'compile', data: 'error: …' });
    await worker.finish(holder, 'failed', {
      steps: [{ ...newStep('compile'), status: 'failed', exitCode: 1, wallMs: 10 }],
    });
    expect(await (await answer).json()).toMatchObject({
      status: 'Failed',
      compile_result: { status: 'Finished', return_code: 1, stderr: 'error: …' },
      run_result: null,
    });
  });

  test('the files that are there', async () => {
    const { answer, id } = await asked({ ...program, fetch_files: ['./a.bin', 'missing'] });
    const worker = actAsWorker(on);
    const holder = await worker.start(id);
    const bytes = Buffer.from([0, 255, 10]);
    const stored = await on.gateway.blobs.put(artifactKey(holder.tenant, id, holder.attempt, 0), bytes);
    await worker.finish(holder, 'succeeded', { artifacts: [{ path: 'a.bin', ...stored }] });
    expect(await (await answer).json()).toMatchObject({
      status: 'Success',
      message: '',
      files: { './a.bin': bytes.toString('base64') },
    });
    await on.gateway.blobs.removeAll(`${holder.tenant}/${id}`);
  });

  test('a sentence in the place of files that are too large together', async () => {
    const { answer, id } = await asked({ ...program, fetch_files: ['large'] });
    const worker = actAsWorker(on);
    await worker.finish(await worker.start(id), 'succeeded', {
      artifacts: [{ path: 'large', sizeBytes: 100_001, sha256: '' }],
    });
    expect(await (await answer).json()).toMatchObject({
      status: 'Success',
      message: 'large is not in the answer, whose files may have 100000 bytes together.',
      files: {},
    });
  });

  test('that a language is not here', async () => {
    const answer = await post({ ...program, language: 'lean' });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      status: 'SandboxError',
      message: expect.stringContaining('lean'),
    });
  });
});

describe('what is no run', () => {
  test('a bad body is 422 in FastAPI’s form', async () => {
    const answer = await post({ code: 7, language: 'python' });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toEqual({
      detail: [
        { type: 'string_type', loc: ['body', 'code'], msg: 'Input should be a valid string', input: 7 },
      ],
    });
  });

  test.each([
    ['{"code"', 'json_invalid'],
    ['{"__proto__": 1}', 'value_error'],
  ])('%s is 422', async (body, type) => {
    const answer = await post(body);
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ detail: [{ type }] });
  });

  test('a body that is too large is refused in a sentence', async () => {
    const answer = await post({ ...program, code: 'x'.repeat(100_000) });
    expect(answer.status).toBe(413);
    expect(await answer.json()).toEqual({ detail: expect.stringContaining('100000 bytes') });
  });

  test('a key that is not known is refused in a sentence', async () => {
    const answer = await post(program, { authorization: 'Bearer nobody-has-this' });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain('Bearer');
    expect(await answer.json()).toEqual({ detail: expect.stringContaining('API key') });
  });

  test('a full queue is a 504, after which verl sends it again', async () => {
    const full = await startGateway({ RUNLET_TENANT_MAX_RUNS: '1' });
    try {
      const first = full.call('POST', '/fusion/run_code', program);
      const id = await storedRun(full.call);
      const second = await full.call('POST', '/fusion/run_code', program);
      expect(second.status).toBe(504);
      expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await second.json()).toEqual({ detail: expect.any(String) });
      await actAsWorker(full).perform(id);
      expect(await (await first).json()).toMatchObject({ status: 'Success' });
    } finally {
      await full.stop();
    }
  });

  test('ping, and cells of notebooks', async () => {
    const ping = await on.call('GET', '/fusion/v1/ping');
    expect([ping.status, await ping.text()]).toEqual([200, '"pong"']);
    const jupyter = await on.call('POST', '/fusion/run_jupyter', { cells: ['1'] });
    expect(jupyter.status).toBe(501);
    expect(await jupyter.json()).toEqual({ detail: expect.stringContaining('/run_code') });
  });
});

describe('a run is cancelled', () => {
  test('when its client goes', async () => {
    const call = await on.caller('fusion-leaver');
    const key = `rlk_${'f'.repeat(24)}`;
    await on.gateway.apiKeys.put(key, { keyId: 'key_leaver', tenant: 'fusion-leaver', role: 'user' });
    const leave = new AbortController();
    const answer = fetch(`${on.url}/k/${key}/fusion/run_code`, {
      method: 'POST',
      body: JSON.stringify(program),
      signal: leave.signal,
    });
    const id = await storedRun(call);
    leave.abort();
    await expect(answer).rejects.toThrow();
    await until(async () => (await on.gateway.runs.status(id)) === 'cancelled');
  });

  test('when the gateway stops, and its client is told to send it again', async () => {
    const stopping = await startGateway();
    try {
      const answer = stopping.call('POST', '/fusion/run_code', program);
      const id = await storedRun(stopping.call);
      stopping.gateway.stopWaiting.abort();
      expect((await answer).status).toBe(504);
      expect(await stopping.gateway.runs.status(id)).toBe('cancelled');
    } finally {
      await stopping.stop();
    }
  });
});
