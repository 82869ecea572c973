import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createLog } from '../../../shared/log.ts';
import { closeRedis, connectRedis } from '../../../shared/redis.ts';
import { readAttach } from '../../../shared/stores/attach.ts';
import { newStep } from '../../../shared/stores/run-record.ts';
import { until } from '../../gateway/support.ts';
import { type Connected, connectPiston } from './client.ts';
import { type PistonGateway, python, startPiston } from './support.ts';

let on: PistonGateway;
let blocking: ReturnType<typeof connectRedis>;
const clients: Connected[] = [];
beforeAll(async () => {
  on = await startPiston();
  blocking = connectRedis(on.gateway.env.RUNLET_REDIS_URL, 'loop', createLog('test', 'silent'));
});
afterEach(() => {
  for (const client of clients.splice(0)) client.socket.terminate();
});
afterAll(async () => {
  await closeRedis(blocking);
  await on.stop();
});

async function connect(): Promise<Connected> {
  const client = connectPiston(on.base);
  clients.push(client);
  await client.opened;
  return client;
}

/** A client whose program has begun. */
async function begun(more: Record<string, unknown> = {}) {
  const client = await connect();
  client.send({ type: 'init', ...python('x', more) });
  const id = await on.stored();
  return { client, id, holder: await on.worker.start(id) };
}

test('a program is talked to, and its end is told', async () => {
  const { client, id, holder } = await begun();
  expect(await on.request(id)).toMatchObject({ interactive: true, limits: { timeoutMs: 3000 } });
  expect((await on.request(id))?.stdin).toBeUndefined();
  client.send({ type: 'data', stream: 'stdin', data: 'čau\n' });
  client.send({ type: 'signal', signal: 'SIGINT' });
  const taken = await until(async () => {
    const all = await readAttach(blocking, on.keys, id, '0', 100);
    return all.length === 2 && all.map(({ message }) => message);
  });
  expect(taken).toEqual([
    { type: 'stdin', data: Buffer.from('čau\n') },
    { type: 'signal', signal: 2 },
  ]);
  await on.worker.append(holder, { type: 'stdout', data: 'out' }, { type: 'stderr', data: 'err' });
  const step = { ...newStep('run'), status: 'failed' as const, exitCode: 143, signal: 'SIGTERM' };
  await on.worker.finish(holder, 'failed', { steps: [step] });
  expect(await client.closed).toEqual({ code: 4999, reason: 'Job Completed' });
  expect(client.messages).toEqual([
    { type: 'runtime', language: 'python', version: expect.stringMatching(/^\d/) },
    { type: 'stage', stage: 'run' },
    { type: 'data', stream: 'stdout', data: 'out' },
    { type: 'data', stream: 'stderr', data: 'err' },
    { type: 'exit', stage: 'run', code: null, signal: 'SIGTERM' },
  ]);
});

const cpp = { language: 'c++', files: [{ content: 'int main(){}' }] };

test('a program that is compiled has two stages', async () => {
  const { client, holder } = await begun(cpp);
  await on.worker.append(
    holder,
    { type: 'stderr', step: 'compile', data: 'warning' },
    { type: 'stdout', data: 'ran' },
  );
  const steps = ['compile', 'run'].map((name) => ({
    ...newStep(name),
    status: 'succeeded' as const,
    exitCode: 0,
  }));
  await on.worker.finish(holder, 'succeeded', { steps });
  expect((await client.closed).code).toBe(4999);
  expect(client.messages.slice(1)).toEqual([
    { type: 'stage', stage: 'compile' },
    { type: 'data', stream: 'stderr', data: 'warning' },
    { type: 'exit', stage: 'compile', code: 0, signal: null },
    { type: 'stage', stage: 'run' },
    { type: 'data', stream: 'stdout', data: 'ran' },
    { type: 'exit', stage: 'run', code: 0, signal: null },
  ]);
});

test('one that is not compiled, and one that says nothing', async () => {
  const failed = await begun(cpp);
  const step = { ...newStep('compile'), status: 'failed' as const, exitCode: 1 };
  await on.worker.finish(failed.holder, 'failed', { steps: [step] });
  expect((await failed.client.closed).code).toBe(4999);
  expect(failed.client.messages.slice(1)).toEqual([
    { type: 'stage', stage: 'compile' },
    { type: 'exit', stage: 'compile', code: 1, signal: null },
  ]);
  const late = await begun();
  const over = { ...newStep('run'), status: 'timed_out' as const, exitCode: 137, signal: 'SIGKILL' };
  await on.worker.finish(late.holder, 'timed_out', { steps: [over] });
  expect((await late.client.closed).code).toBe(4999);
  expect(late.client.messages.at(-1)).toEqual({ type: 'exit', stage: 'run', code: null, signal: 'SIGKILL' });
});

test('what could not be started is an error', async () => {
  const { client, holder } = await begun();
  const error = { code: 'image_not_found', status: 404, title: 't', type: 't', detail: 'There is none.' };
  await on.worker.finish(holder, 'errored', {
    steps: [],
    error: { ...error, links: { documentation: '/' } },
  });
  expect(await client.closed).toEqual({ code: 4002, reason: 'Notified Error' });
  expect(client.messages.at(-1)).toEqual({ type: 'error', message: 'There is none.' });
});

test.each([
  ['no JSON', '{', 'not valid JSON'],
  ['no text', '{"type":"init","version":"\\ud800"}', 'version'],
  [
    'a request that is none',
    JSON.stringify({ type: 'init', language: 'python' }),
    'version is required as a string',
  ],
])('%s is an error', async (_, text, message) => {
  const client = await connect();
  client.socket.send(text);
  expect(await client.closed).toEqual({ code: 4002, reason: 'Notified Error' });
  expect(client.messages).toEqual([{ type: 'error', message: expect.stringContaining(message) }]);
});

test('a client that says nothing, and one that says it too soon', async () => {
  expect(await (await connect()).closed).toEqual({ code: 4001, reason: 'Initialization Timeout' });
  for (const type of ['data', 'signal']) {
    const client = await connect();
    client.send({ type, stream: 'stdin', data: '', signal: 'SIGINT' });
    expect(await client.closed).toEqual({ code: 4003, reason: 'Not yet initialized' });
  }
});

test.each([
  [{ type: 'init', ...python('y') }, 4000, 'Already Initialized'],
  [{ type: 'data', stream: 'stdout', data: '' }, 4004, 'Can only write to stdin'],
  [{ type: 'signal', signal: 'SIGNONSENSE' }, 4005, 'Invalid signal'],
  [{ type: 'signal', signal: 'toString' }, 4005, 'Invalid signal'],
  [{ type: 'data', stream: 'stdin', data: 5 }, 4002, 'Notified Error'],
])('once it runs, %j closes it, and cancels the run', async (message, code, reason) => {
  const { client, id, holder } = await begun();
  client.send(message);
  expect(await client.closed).toEqual({ code, reason });
  await until(async () => (await on.gateway.runs.read(id))?.cancelRequested);
  await on.worker.finish(holder, 'cancelled');
});

test('a client that leaves cancels its run', async () => {
  const client = await connect();
  client.send({ type: 'init', ...python('x') });
  const id = await on.stored();
  client.socket.terminate();
  await until(async () => (await on.gateway.runs.status(id)) === 'cancelled');
});

test('without a WebSocket there is nothing', async () => {
  const answer = await fetch(`${on.base}/connect`);
  expect([answer.status, await answer.json()]).toEqual([
    426,
    { message: expect.stringContaining('WebSocket') },
  ]);
});
