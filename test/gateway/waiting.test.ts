import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import { newId } from '../../shared/ids.ts';
import { problemOf, runOf, startGateway, type TestGateway, until } from './support.ts';
import { actAsWorker } from './worker.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway();
});
afterAll(() => on.stop());

const image = { image: 'hello-world' };
const wait = { prefer: 'wait=30' };
const create = async () => runOf(await on.call('POST', '/v1/runs', image), 202);

/** How many connections listen for this run's end. */
async function listeners(id: string): Promise<number> {
  const [, count] = (await on.redis.pubsub('NUMSUB', on.keys.wake(id))) as [string, number];
  return Number(count);
}

describe('Prefer: wait on a run that is there', () => {
  test('answers with its end, whoever waits, over one subscription', async () => {
    const run = await create();
    const answers = [1, 2, 3].map(() => on.call('GET', `/v1/runs/${run.id}`, undefined, wait));
    await until(async () => (await listeners(run.id)) > 0);
    expect(await listeners(run.id)).toBe(1);
    await actAsWorker(on).perform(run.id, 'waited for\n');
    for (const answer of await Promise.all(answers)) {
      expect(answer.headers.get('preference-applied')).toBe('wait=30');
      expect(await runOf(answer, 200)).toMatchObject({ status: 'succeeded', stdout: 'waited for\n' });
    }
    await until(async () => (await listeners(run.id)) === 0);
  });

  test('answers with the run as it is when the time is over, and at once when it has ended', async () => {
    const run = await create();
    const short = await on.call('GET', `/v1/runs/${run.id}`, undefined, { prefer: 'wait=1' });
    expect(short.headers.get('preference-applied')).toBe('wait=1');
    expect((await runOf(short, 200)).status).toBe('queued');
    await actAsWorker(on).perform(run.id);
    const ended = await runOf(await on.call('GET', `/v1/runs/${run.id}`, undefined, wait), 200);
    expect(ended.status).toBe('succeeded');
    const plain = await on.call('GET', `/v1/runs/${run.id}`);
    expect(plain.headers.get('preference-applied')).toBeNull();
    await plain.text();
  });

  test('ends when its client goes', async () => {
    const run = await create();
    const key = `rlk_${'g'.repeat(24)}`;
    await on.gateway.apiKeys.put(key, { keyId: newId('key'), tenant: 'default', role: 'admin' });
    const leave = new AbortController();
    const headers = { ...wait, authorization: `Bearer ${key}` };
    const answer = fetch(`${on.url}/v1/runs/${run.id}`, { headers, signal: leave.signal });
    await until(async () => (await listeners(run.id)) > 0);
    leave.abort();
    await expect(answer).rejects.toThrow();
    await until(async () => (await listeners(run.id)) === 0);
  });

  test('finds an end whose message is lost', async () => {
    const run = await create();
    const worker = actAsWorker(on);
    const holder = await worker.start(run.id);
    const answer = on.call('GET', `/v1/runs/${run.id}`, undefined, wait);
    await until(async () => (await listeners(run.id)) > 0);
    await on.redis.hset(on.keys.run(run.id), 'status', 'failed');
    expect((await runOf(await answer, 200)).status).toBe('failed');
    await on.redis.hset(on.keys.run(run.id), 'status', 'running');
    await worker.finish(holder);
  });

  test('is refused as without: somebody else’s run, a run that never was, a wait that is none', async () => {
    const run = await create();
    const other = await on.caller('another');
    await problemOf(await other('GET', `/v1/runs/${run.id}`, undefined, wait), 404, 'not_found');
    await problemOf(await on.call('GET', '/v1/runs/run_x', undefined, wait), 404, 'not_found');
    const answer = await on.call('GET', `/v1/runs/${run.id}`, undefined, { prefer: 'wait=61' });
    await problemOf(answer, 400, 'validation_failed');
  });

  test('ends with a run that is deleted meanwhile', async () => {
    const run = await create();
    const worker = actAsWorker(on);
    const holder = await worker.start(run.id);
    const answer = on.call('GET', `/v1/runs/${run.id}`, undefined, wait);
    await until(async () => (await listeners(run.id)) > 0);
    await worker.finish(holder);
    expect((await on.call('DELETE', `/v1/runs/${run.id}`)).status).toBe(204);
    expect([200, 404]).toContain((await answer).status);
  });
});

describe('Prefer: wait on a batch', () => {
  type Results = { results: (Pick<Run, 'stdout' | 'outputTruncated'> & { status: string | number })[] };
  const tenant = () => on.caller(`batch${crypto.randomUUID().slice(0, 8)}`);
  const stored = (call: Awaited<ReturnType<typeof tenant>>, count: number) =>
    until(async () => {
      const { data } = (await (await call('GET', '/v1/runs')).json()) as { data: Run[] };
      return data.length === count && data.map(({ id }) => id).reverse();
    });

  test('answers when all have ended, in order', async () => {
    const call = await tenant();
    const answer = call('POST', '/v1/runs/batch', { runs: [image, { nope: 1 }, image] }, wait);
    const [first = '', second = ''] = await stored(call, 2);
    const worker = actAsWorker(on);
    await worker.perform(second, 'two');
    await worker.perform(first, 'one');
    const response = await answer;
    expect(response.status).toBe(207);
    expect(response.headers.get('preference-applied')).toBe('wait=30');
    const { results } = (await response.json()) as Results;
    expect(results.map(({ status, stdout }) => [status, stdout])).toEqual([
      ['succeeded', 'one'],
      [400, undefined],
      ['succeeded', 'two'],
    ]);
  });

  test('answers with each as it is when it waits no longer', async () => {
    const own = await startGateway();
    const answer = own.call('POST', '/v1/runs/batch', { runs: [image, image] }, wait);
    const [first = '', second = ''] = await stored(own.call, 2);
    const worker = actAsWorker(own);
    await worker.perform(first, 'one');
    const holder = await worker.start(second);
    own.gateway.stopWaiting.abort();
    const { results } = (await (await answer).json()) as Results;
    expect(results.map(({ status, stdout }) => [status, stdout])).toEqual([
      ['succeeded', 'one'],
      ['running', ''],
    ]);
    await worker.finish(holder);
    await own.stop();
  });

  test('does not wait longer than it is told', async () => {
    const answer = await (await tenant())('POST', '/v1/runs/batch', { runs: [image] }, { prefer: 'wait=1' });
    expect(answer.headers.get('preference-applied')).toBe('wait=1');
    expect(await answer.json()).toMatchObject({ results: [{ status: 'queued' }] });
  });

  test('shows the beginning of outputs that would make an answer too large', async () => {
    const call = await tenant();
    const answer = call('POST', '/v1/runs/batch', { runs: [image, image, image] }, { prefer: 'wait=60' });
    const ids = await stored(call, 3);
    const worker = actAsWorker(on);
    const piece = 'x'.repeat(64 * 1024);
    for (const [i, id] of ids.entries()) {
      const holder = await worker.start(id);
      for (let mebibytes = 0; mebibytes < (i === 0 ? 9 : 1); mebibytes += 1)
        await worker.out(holder, ...Array<string>(16).fill(piece));
      await worker.finish(holder);
    }
    const { results } = (await (await answer).json()) as Results;
    expect(results.map(({ stdout, outputTruncated }) => [stdout.length, outputTruncated])).toEqual([
      [9 * 1024 * 1024, false],
      [16 * 1024, true],
      [16 * 1024, true],
    ]);
  });
});
