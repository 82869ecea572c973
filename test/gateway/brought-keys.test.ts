import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureApiKey } from '../../services/gateway/api-key.ts';
import type { ApiKey } from '../../shared/contracts/key.ts';
import { newId } from '../../shared/ids.ts';
import { digestOf } from '../../shared/secrets.ts';
import { startGateway, type TestGateway } from './support.ts';

/** Gateways that come and go on one Redis, each with its own RUNLET_API_KEY. The first is there all the time, and has none. */
let on: TestGateway;
let open: TestGateway[];
beforeEach(async () => {
  on = await startGateway();
  open = [];
});
afterEach(async () => {
  for (const gateway of open) await leave(gateway);
  await on.stop();
});

const value = (name: string) => `${name}-${'x'.repeat(20)}`;
const [a, b, c] = [value('a'), value('b'), value('c')];

async function come(key: string, variable = 'RUNLET_API_KEY'): Promise<TestGateway> {
  const gateway = await startGateway({
    RUNLET_REDIS_PREFIX: on.gateway.env.RUNLET_REDIS_PREFIX,
    [variable]: key,
  });
  open.push(gateway);
  await ensureApiKey(gateway.gateway, gateway.url);
  return gateway;
}

/** As a gateway stops on SIGTERM; `die`: as one does that is killed. */
async function leave(gateway: TestGateway): Promise<void> {
  open = open.filter((one) => one !== gateway);
  await gateway.gateway.keyring.stop();
  await gateway.abandon();
}

const opens = async (key: string, gateway = on) =>
  (await fetch(`${gateway.url}/v1/runs`, { headers: { authorization: `Bearer ${key}` } })).status === 200;

/** As if so long had passed since some gateway last had it. */
const longAgo = (key: string) => on.redis.hset(on.keys.broughtSeen, digestOf(key), Date.now() - 60_000);

/** Without those that the tests themselves call with. */
const listed = async () =>
  ((await (await on.call('GET', '/v1/keys')).json()) as { data: ApiKey[] }).data.filter(
    ({ name }) => name !== 'unnamed',
  );

describe('RUNLET_API_KEY', () => {
  test('brings an admin key; the same value again changes nothing', async () => {
    await leave(await come(a));
    const [before] = await listed();
    expect(before).toMatchObject({ name: 'RUNLET_API_KEY', role: 'admin', expiresAt: null });
    await leave(await come(a));
    expect((await listed())[0]?.id).toBe(before?.id);
    expect(await opens(a)).toBe(true);
  });

  test('changed, replaces what it brought before, and nothing else', async () => {
    await leave(await come(a));
    expect(await opens(a)).toBe(true);
    await come(b);
    await expect.poll(() => opens(a)).toBe(false);
    expect(await opens(b)).toBe(true);
    expect((await listed()).map(({ name }) => name)).toEqual(['RUNLET_API_KEY']);
  });

  test('gateways of a rolling restart revoke nothing of each other’s', async () => {
    const first = await come(a);
    let second = await come(a);
    await leave(first);
    const third = await come(b);
    for (const key of [a, b]) expect(await opens(key, third)).toBe(true);
    // One with the former value is started anew.
    await leave(second);
    second = await come(a);
    for (const key of [a, b]) expect(await opens(key, second)).toBe(true);
    // And the other one, too.
    await leave(third);
    for (const key of [a, b]) expect(await opens(key, second)).toBe(true);
    const fourth = await come(b);
    for (const key of [a, b]) expect(await opens(key, fourth)).toBe(true);
    await leave(second);
    const last = await come(b);
    await expect.poll(() => opens(a)).toBe(false);
    expect(await opens(b, last)).toBe(true);
  });

  test('what only a gateway had that is gone goes after a while', async () => {
    const first = await come(a);
    await come(b);
    await leave(first);
    await sleep(1_500);
    expect(await opens(a)).toBe(true);
    await longAgo(a);
    await expect.poll(() => opens(a), { timeout: 5_000 }).toBe(false);
    expect(await opens(b)).toBe(true);
  });

  test('a machine that was forgotten brings nothing back; a change that is undone does', async () => {
    await leave(await come(a));
    const newer = await come(b);
    await expect.poll(() => opens(a)).toBe(false);
    const forgotten = await come(a);
    expect(await opens(a)).toBe(false);
    expect(await opens(b)).toBe(true);
    // That the newer one is started anew is no reason either.
    await leave(newer);
    await sleep(1_500);
    expect(await opens(a)).toBe(false);
    await leave(forgotten);
    await come(a);
    expect(await opens(a)).toBe(true);
    await longAgo(b);
    await expect.poll(() => opens(b), { timeout: 5_000 }).toBe(false);
    expect(await opens(a)).toBe(true);
  });

  test('brings back nothing that the API took back, however often it is started', async () => {
    const gateway = await come(a);
    const [brought] = await listed();
    expect((await on.call('DELETE', `/v1/keys/${brought?.id}`)).status).toBe(204);
    await sleep(1_500);
    expect(await opens(a)).toBe(false);
    await leave(gateway);
    await come(a);
    await come(a, 'RUNLET_KEPT_API_KEY');
    expect(await opens(a)).toBe(false);
    expect(await listed()).toEqual([]);
  });

  test('that names a key of the API’s leaves it as it is, and replaces nothing', async () => {
    await leave(await come(a));
    const made = (await (
      await on.call('POST', '/v1/keys', { name: 'alice', role: 'member' })
    ).json()) as ApiKey & { key: string };
    await leave(await come(made.key));
    expect((await listed()).find(({ id }) => id === made.id)).toMatchObject({ role: 'member' });
    expect(await opens(a)).toBe(true);
    await leave(await come(c));
    await expect.poll(() => opens(a)).toBe(false);
    expect(await opens(made.key)).toBe(true);
  });

  test('counts what an earlier version brought as brought', async () => {
    const keyId = newId('key');
    await on.redis.hset(
      on.keys.apiKeys,
      digestOf(a),
      JSON.stringify({ keyId, tenant: 'default', role: 'admin' }),
    );
    await leave(await come(a));
    expect((await listed()).find(({ id }) => id === keyId)).toMatchObject({ name: 'RUNLET_API_KEY' });
    await come(b);
    await expect.poll(() => opens(a)).toBe(false);
  });
});

describe('the key that npm start keeps', () => {
  test('is put where it is not known, is an ordinary key, and replaces nothing', async () => {
    const kept = `rlk_${randomBytes(24).toString('base64url')}`;
    await leave(await come(a));
    await leave(await come(kept, 'RUNLET_KEPT_API_KEY'));
    for (const key of [a, kept]) expect(await opens(key)).toBe(true);
    await leave(await come(b));
    await expect.poll(() => opens(a)).toBe(false);
    expect(await opens(kept)).toBe(true);
    // Neither does what the variable has replaced come back by it.
    await leave(await come(a, 'RUNLET_KEPT_API_KEY'));
    expect(await opens(a)).toBe(false);
    const { id } = (await listed()).find(({ name }) => name === 'first key') ?? { id: '' };
    expect((await on.call('DELETE', `/v1/keys/${id}`)).status).toBe(204);
    await leave(await come(kept, 'RUNLET_KEPT_API_KEY'));
    expect(await opens(kept)).toBe(false);
  });
});
