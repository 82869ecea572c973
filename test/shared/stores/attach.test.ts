import { randomBytes } from 'node:crypto';
import { afterAll, beforeEach, expect, inject, test } from 'vitest';
import { newId } from '../../../shared/ids.ts';
import { keysFor } from '../../../shared/keys.ts';
import { createLog } from '../../../shared/log.ts';
import { closeRedis, connectRedis } from '../../../shared/redis.ts';
import { sealerFor } from '../../../shared/secrets.ts';
import {
  consumeAttach,
  createAttachInput,
  maxEntries,
  maxEntryBytes,
  readAttach,
} from '../../../shared/stores/attach.ts';
import { emptyState } from '../../../shared/stores/run-record.ts';
import { createRunStore } from '../../../shared/stores/runs.ts';
import { runRequest } from '../../support/run-request.ts';

const log = createLog('test', 'silent');
const redis = connectRedis(inject('lab').redisUrl, 'loop', log);
const blocking = connectRedis(inject('lab').redisUrl, 'loop', log);
const keys = keysFor(`t${randomBytes(5).toString('hex')}`);
const input = createAttachInput(redis, keys);
const runs = createRunStore(redis, keys, sealerFor('a key of the test’s own'));
async function clear(): Promise<void> {
  const all = await redis.keys(`${keys.base}*`);
  if (all.length > 0) await redis.del(...all);
}
beforeEach(clear);
afterAll(async () => {
  await clear();
  await closeRedis(redis);
  await closeRedis(blocking);
});

async function interactiveRun(): Promise<string> {
  const id = newId('run');
  const now = new Date();
  const head = { id, tenant: 'default', createdAt: now.toISOString(), dueAt: now.getTime() };
  const request = runRequest.parse({ image: 'busybox', interactive: true });
  await runs.create(head, request, { maxTenantRuns: 100, maxRuns: 100, maxDeliveries: 1_000 });
  return id;
}
const stdin = (data: Buffer | string) => ({ type: 'stdin' as const, data: Buffer.from(data) });
const push = (id: string, data: Buffer | string) => input.push(id, stdin(data));

test('every kind of message arrives as it was sent, in order, bytes included', async () => {
  const id = await interactiveRun();
  const messages = [
    stdin(Buffer.from([0, 255, 10, 13])),
    { type: 'resize' as const, cols: 120, rows: 40 },
    stdin(''),
    { type: 'signal' as const, signal: 2 },
    { type: 'eof' as const },
  ];
  for (const message of messages) expect(await input.push(id, message)).toBe('sent');
  const taken = await readAttach(blocking, keys, id, '0', 1000);
  expect(taken.map(({ message }) => message)).toEqual(messages);
  expect(await readAttach(blocking, keys, id, taken[1]?.id ?? '', 1000)).toEqual(taken.slice(2));
});

test('a reader waits for input, and no longer than it wants', async () => {
  const id = await interactiveRun();
  expect(await readAttach(blocking, keys, id, '0', 20)).toEqual([]);
  const waiting = readAttach(blocking, keys, id, '0', 10_000);
  await push(id, 'typed');
  expect((await waiting).map(({ message }) => message)).toEqual([stdin('typed')]);
});

test('input is bounded until it is taken', async () => {
  const id = await interactiveRun();
  const chunk = randomBytes(maxEntryBytes);
  for (let i = 0; i < maxEntries; i++) expect(await push(id, chunk)).toBe('sent');
  expect(await push(id, 'more')).toBe('full');
  await expect(push(id, Buffer.alloc(maxEntryBytes + 1))).rejects.toThrow();
  const taken = await readAttach(blocking, keys, id, '0', 1000);
  expect(taken.length).toBe(maxEntries);
  await consumeAttach(
    redis,
    keys,
    id,
    taken.slice(0, 2).map((one) => one.id),
  );
  expect(await push(id, 'more')).toBe('sent');
  // What was consumed does not come again: a worker that starts over begins with the rest.
  expect((await readAttach(blocking, keys, id, '0', 1000))[0]).toEqual(taken[2]);
});

test('with the run its input ends, and nothing is taken for it any more', async () => {
  const id = await interactiveRun();
  await push(id, 'x');
  const claim = await runs.claim(id, 'w1');
  if (claim.verdict !== 'claimed') throw new Error(claim.verdict);
  const holder = { runId: id, tenant: 'default', attempt: claim.attempt, worker: 'w1' };
  await runs.finish(holder, 'succeeded', { ...emptyState }, 0, new Date().toISOString());
  expect(await redis.exists(keys.attach(id))).toBe(0);
  expect(await push(id, 'late')).toBe('ended');
  expect(await push(newId('run'), 'nobody')).toBe('ended');
  expect(await redis.exists(keys.attach(id))).toBe(0);
});
