import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parseRunEnd, type RunEnd } from '../../services/gateway/stores/run-end.ts';
import { newId } from '../../shared/ids.ts';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { closeRedis, connectRedis } from '../../shared/redis.ts';
import { sealerFor } from '../../shared/secrets.ts';
import { readOutput } from '../../shared/stores/run-events.ts';
import { emptyState } from '../../shared/stores/run-record.ts';
import { createRunStore, type Holder, type NewEvent } from '../../shared/stores/runs.ts';
import { createWakeups } from '../../shared/wakeups.ts';
import { runRequest } from '../support/run-request.ts';

const log = createLog('test', 'silent');
const redis = connectRedis(inject('lab').redisUrl, 'loop', log);
const subscriber = connectRedis(inject('lab').redisUrl, 'loop', log);
const keys = keysFor(`t${randomBytes(5).toString('hex')}`);
const store = createRunStore(redis, keys, sealerFor('a key of the test’s own'));
const state = { ...emptyState, exitCode: 0, finishedAt: '2026-01-01T00:00:00.000Z' };
const channel = keys.ends('the-one-that-waits');
const heard: (RunEnd | undefined)[] = [];

beforeAll(() =>
  createWakeups(subscriber).listenBytes(channel, (message) => heard.push(parseRunEnd(message))),
);
afterAll(async () => {
  const all = await redis.keys(`${keys.base}*`);
  if (all.length > 0) await redis.del(...all);
  await Promise.all([redis, subscriber].map(closeRedis));
});

async function started(options: { ends?: string }): Promise<Holder> {
  const now = new Date();
  const id = newId('run');
  const head = { id, tenant: 'default', createdAt: now.toISOString(), dueAt: now.getTime() };
  const bounds = { maxTenantRuns: 100, maxRuns: 100, maxDeliveries: 100 };
  await store.create(head, runRequest.parse({ image: 'busybox' }), bounds, options);
  const claim = await store.claim(id, 'wrk');
  if (claim.verdict !== 'claimed') throw new Error(claim.verdict);
  return { runId: id, tenant: 'default', attempt: claim.attempt, worker: 'wrk' };
}

/** What was said of a run's end; a message of our own after it shows that nothing more will come. */
async function finishedWith(holder: Holder, entries: NewEvent[]): Promise<(RunEnd | undefined)[]> {
  heard.length = 0;
  const last = { sequence: 'o9', entries };
  await store.finish(holder, 'succeeded', state, 0, new Date().toISOString(), last);
  await redis.publish(channel, '4:last');
  while (heard.at(-1)?.id !== 'last') await sleep(5);
  return heard.slice(0, -1);
}

test('who waits for a run is told what a reader of it would find, byte for byte', async () => {
  const holder = await started({ ends: channel });
  const bytes = randomBytes(3_000);
  const [end, ...more] = await finishedWith(holder, [
    { type: 'stdout', step: 'compile', data: 'a warning: 4:abcd,\n' },
    { type: 'stdout', data: bytes },
    { type: 'stderr', data: '' },
    { type: 'stdout', data: bytes },
  ]);
  expect(more).toEqual([]);
  const record = await store.read(holder.runId);
  expect(end?.found).toEqual({
    status: 'succeeded',
    attempt: 1,
    worker: 'wrk',
    state: record?.state,
    output: await readOutput(redis, keys, holder.runId, 1),
  });
  expect(end?.found?.output.get('run')?.stdout).toEqual(Buffer.concat([bytes, bytes]));
});

test('of a silent run, too', async () => {
  const [end] = await finishedWith(await started({ ends: channel }), []);
  expect(end?.found).toMatchObject({ status: 'succeeded', state, output: new Map() });
});

test('where output was written before, or is long, only that it has ended', async () => {
  const earlier = await started({ ends: channel });
  await store.append(earlier, 'o1', [{ type: 'stdout', data: 'first ' }]);
  expect(await finishedWith(earlier, [{ type: 'stdout', data: 'last' }])).toEqual([{ id: earlier.runId }]);
  const long = await started({ ends: channel });
  const entries: NewEvent[] = [
    { type: 'stdout', data: randomBytes(60_000) },
    { type: 'stderr', data: randomBytes(6_000) },
  ];
  expect(await finishedWith(long, entries)).toEqual([{ id: long.runId }]);
});

test('nothing where nobody waits, and nothing twice', async () => {
  expect(await finishedWith(await started({}), [])).toEqual([]);
  const holder = await started({ ends: channel });
  expect(await finishedWith(holder, [])).toHaveLength(1);
  expect(await finishedWith(holder, [])).toEqual([]);
});
