import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { maxKeys } from '../../services/gateway/stores/api-keys.ts';
import type { ApiKey } from '../../shared/contracts/key.ts';
import { newId } from '../../shared/ids.ts';
import { digestOf } from '../../shared/secrets.ts';
import { type Call, problemOf, startGateway, type TestGateway } from './support.ts';

let on: TestGateway;
let tenants = 0;
beforeAll(async () => {
  on = await startGateway();
});
afterAll(() => on.stop());

type Made = ApiKey & { key: string };

/** A tenant with one admin key: what one test does to keys is nothing to another. */
async function tenant(): Promise<{ name: string; admin: Call }> {
  tenants += 1;
  const name = `t${tenants}`;
  return { name, admin: await on.caller(name) };
}

async function make(admin: Call, more: object = {}): Promise<Made> {
  const response = await admin('POST', '/v1/keys', { name: 'test', ...more });
  expect(response.status).toBe(201);
  return (await response.json()) as Made;
}

const list = async (admin: Call) =>
  ((await (await admin('GET', '/v1/keys?limit=100')).json()) as { data: ApiKey[] }).data;

const by =
  (key: string): Call =>
  (method, path, body, headers = {}) =>
    fetch(`${on.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });

describe('POST /v1/keys', () => {
  test('makes a key that works, is shown once, and lies nowhere', async () => {
    const { admin } = await tenant();
    const response = await admin('POST', '/v1/keys', { name: 'ci' });
    const made = (await response.json()) as Made;
    expect(response.headers.get('location')).toBe(`/v1/keys/${made.id}`);
    expect(made).toEqual({
      id: expect.stringMatching(/^key_[0-9a-f]{32}$/),
      name: 'ci',
      role: 'member',
      createdAt: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
      lastUsedAt: null,
      expiresAt: null,
      key: expect.stringMatching(/^rlk_[\w-]{32}$/),
    });
    expect((await by(made.key)('GET', '/v1/runs')).status).toBe(200);
    const { key, ...shown } = made;
    const listed = (await list(admin)).find(({ id }) => id === made.id);
    expect({ ...listed, lastUsedAt: null }).toEqual(shown);
    for (const name of await on.redis.keys(`${on.keys.base}*`)) {
      expect(name).not.toContain(key);
      const type = await on.redis.type(name);
      const held =
        type === 'hash'
          ? await on.redis.hgetall(name)
          : type === 'zset'
            ? await on.redis.zrange(name, 0, '-1')
            : type === 'string'
              ? await on.redis.get(name)
              : '';
      expect(JSON.stringify(held)).not.toContain(key);
    }
  });

  test.each([
    [{}, 'name'],
    [{ name: '' }, 'name'],
    [{ name: ' ' }, 'name'],
    [{ name: 'x ' }, 'name'],
    [{ name: 'x'.repeat(129) }, 'name'],
    [{ name: 'a\nb' }, 'name'],
    [{ name: 'a\u0000b' }, 'name'],
    [{ name: 'a\u202eb' }, 'name'],
    [{ name: 'a\u200bb' }, 'name'],
    [{ name: 'a\u001b[31mb' }, 'name'],
    [{ name: 7 }, 'name'],
    [{ name: 'x', role: 'user' }, 'role'],
    [{ name: 'x', role: 'owner' }, 'role'],
    [{ name: 'x', expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    [{ name: 'x', expiresAt: '2099-01-01T00:00:00' }, 'expiresAt'],
    [{ name: 'x', expiresAt: '2099-02-30T00:00:00Z' }, 'expiresAt'],
    [{ name: 'x', expiresAt: '2099-01-01' }, 'expiresAt'],
    [{ name: 'x', expiresAt: 4_102_444_800_000 }, 'expiresAt'],
    [{ name: 'x', scopes: ['runs'] }, 'scopes'],
    [{ name: 'x', tenant: 'default' }, 'tenant'],
    [{ name: 'x', key: 'rlk_of-my-own-choice-0123456789' }, 'key'],
  ])('%j is refused, and the field named', async (body, path) => {
    const problem = await problemOf(await on.call('POST', '/v1/keys', body), 400, 'validation_failed');
    expect(problem.errors?.map((one) => one.path)).toContain(path);
  });

  test('half of a surrogate pair is refused', async () => {
    await problemOf(await on.call('POST', '/v1/keys', '{"name":"a\\ud800"}'), 400, 'validation_failed');
  });

  test('takes names in any script, and times in any zone', async () => {
    const { admin } = await tenant();
    const name = '部署 🚀 é'.repeat(10);
    expect(await make(admin, { name, expiresAt: '2099-01-01T01:00:00+01:00' })).toMatchObject({
      name,
      expiresAt: '2099-01-01T00:00:00.000Z',
    });
    await make(admin, { name: '🚀'.repeat(128) });
  });

  test('an Idempotency-Key makes one key, and shows it once', async () => {
    const { admin } = await tenant();
    const headers = { 'idempotency-key': 'again' };
    const first = await admin('POST', '/v1/keys', { name: 'once' }, headers);
    const { key, ...shown } = (await first.json()) as Made;
    const second = await admin('POST', '/v1/keys', { name: 'once' }, headers);
    expect([second.status, second.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    expect(await second.json()).toEqual(shown);
    expect((await by(key)('GET', '/v1/runs')).status).toBe(200);
    expect((await list(admin)).length).toBe(2);
    await problemOf(await admin('POST', '/v1/keys', { name: 'two' }, headers), 422, 'idempotency_mismatch');
  });

  test('a tenant has no more than it may, however many are asked for at once', async () => {
    const { name, admin } = await tenant();
    const record = (i: number) =>
      JSON.stringify({ keyId: newId('key'), tenant: name, role: 'member', name: `k${i}` });
    const many = Object.fromEntries(
      Array.from({ length: maxKeys - 3 }, (_, i) => [digestOf(randomBytes(16).toString('hex')), record(i)]),
    );
    await on.redis.hset(on.keys.apiKeys, many);
    const all = await Promise.all(
      Array.from({ length: 8 }, () => admin('POST', '/v1/keys', { name: 'more' })),
    );
    expect(all.map(({ status }) => status).sort()).toEqual([201, 201, ...Array(6).fill(429)]);
    expect(all.find(({ status }) => status === 429)?.headers.get('retry-after')).toMatch(/^\d+$/);
    await on.redis.hdel(on.keys.apiKeys, ...Object.keys(many));
    await make(admin);
  });
});

describe('GET /v1/keys', () => {
  test('is paged, in the order of their making', async () => {
    const { admin } = await tenant();
    const made = [await make(admin, { name: 'a' }), await make(admin, { name: 'b' })];
    const seen: ApiKey[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const more: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page = (await (await admin('GET', `/v1/keys?limit=1${more}`)).json()) as {
        data: ApiKey[];
        nextCursor: string | null;
      };
      seen.push(...page.data);
      cursor = page.nextCursor;
    }
    expect(seen.slice(1).map(({ id }) => id)).toEqual(made.map(({ id }) => id));
    await problemOf(await admin('GET', '/v1/keys?cursor=nonsense'), 400, 'validation_failed');
    await problemOf(await admin('GET', '/v1/keys?role=admin'), 400, 'validation_failed');
  });

  test('shows when a key was last used, to the minute, and writes that down once in it', async () => {
    const { admin } = await tenant();
    const made = await make(admin);
    const before = Date.now();
    const use = () => by(made.key)('GET', '/v1/runs');
    const usedAt = async () => (await list(admin)).find(({ id }) => id === made.id)?.lastUsedAt ?? null;
    expect(await usedAt()).toBeNull();
    await use();
    await expect.poll(usedAt).not.toBeNull();
    const at = await usedAt();
    expect(Date.parse(at ?? '')).toBeGreaterThanOrEqual(before);
    for (let i = 0; i < 20; i += 1) await use();
    await sleep(250);
    expect(await usedAt()).toBe(at);
  });

  test('shows keys of an earlier version with sane values, and their role as it is now', async () => {
    const { name, admin } = await tenant();
    const keyId = newId('key');
    await on.redis.hset(
      on.keys.apiKeys,
      digestOf('rlk_early'),
      JSON.stringify({ keyId, tenant: name, role: 'user' }),
    );
    await on.redis.hset(on.keys.apiKeys, 'broken', 'not json');
    const early = (await list(admin)).find(({ id }) => id === keyId);
    expect(early).toMatchObject({ name: 'unnamed', role: 'member', expiresAt: null, lastUsedAt: null });
    expect(Math.abs(Date.parse(early?.createdAt ?? '') - Date.now())).toBeLessThan(60_000);
    expect((await by('rlk_early')('GET', '/v1/runs')).status).toBe(200);
    await problemOf(await by('rlk_early')('GET', '/v1/keys'), 403, 'forbidden');
    expect((await admin('DELETE', `/v1/keys/${keyId}`)).status).toBe(204);
    await problemOf(await by('rlk_early')('GET', '/v1/runs'), 401, 'unauthorized');
    await on.redis.hdel(on.keys.apiKeys, 'broken');
  });

  test('somebody else’s keys are neither shown nor found', async () => {
    const mine = await tenant();
    const theirs = await tenant();
    const made = await make(theirs.admin);
    expect((await list(mine.admin)).map(({ id }) => id)).not.toContain(made.id);
    for (const id of [made.id, newId('key'), 'key_x', '%00', 'a b'])
      await problemOf(await mine.admin('DELETE', `/v1/keys/${id}`), 404, 'not_found');
    expect((await by(made.key)('GET', '/v1/runs')).status).toBe(200);
  });
});

describe('DELETE /v1/keys/{id}', () => {
  test('is refused for the last admin key that does not expire', async () => {
    const { admin } = await tenant();
    const [first] = await list(admin);
    await make(admin, { role: 'member' });
    const soon = await make(admin, { role: 'admin', expiresAt: '2099-01-01T00:00:00Z' });
    const problem = await problemOf(await admin('DELETE', `/v1/keys/${first?.id}`), 409, 'conflict');
    expect(problem.detail).toContain('last admin key');
    // What expires may go.
    expect((await admin('DELETE', `/v1/keys/${soon.id}`)).status).toBe(204);
    const heir = await make(admin, { role: 'admin' });
    expect((await admin('DELETE', `/v1/keys/${first?.id}`)).status).toBe(204);
    await problemOf(await admin('GET', '/v1/runs'), 401, 'unauthorized');
    await problemOf(await by(heir.key)('DELETE', `/v1/keys/${heir.id}`), 409, 'conflict');
  });

  test('a key takes itself back, and hears that it has', async () => {
    const { admin } = await tenant();
    const made = await make(admin, { role: 'admin' });
    expect((await by(made.key)('DELETE', `/v1/keys/${made.id}`)).status).toBe(204);
    await problemOf(await by(made.key)('GET', '/v1/runs'), 401, 'unauthorized');
    await problemOf(await admin('DELETE', `/v1/keys/${made.id}`), 404, 'not_found');
  });

  test('an expired key is refused at once, and says so; it is forgotten after a week', async () => {
    const { admin } = await tenant();
    const made = await make(admin, { role: 'admin', expiresAt: new Date(Date.now() + 1_500).toISOString() });
    expect((await by(made.key)('GET', '/v1/runs')).status).toBe(200);
    await sleep(Date.parse(made.expiresAt ?? '') - Date.now() + 5);
    const problem = await problemOf(await by(made.key)('GET', '/v1/runs'), 401, 'unauthorized');
    expect(problem.detail).toContain(`expired at ${made.expiresAt}`);
    const week = 7 * 24 * 3_600_000;
    await on.gateway.apiKeys.sweep(Date.now() - week);
    expect((await list(admin)).map(({ id }) => id)).toContain(made.id);
    await on.gateway.apiKeys.sweep(Date.now());
    expect((await list(admin)).map(({ id }) => id)).not.toContain(made.id);
    expect(await on.redis.hexists(on.keys.apiKeyUses, made.id)).toBe(0);
  });
});

describe('a member', () => {
  test.each([
    ['GET', '/v1/keys'],
    ['POST', '/v1/keys'],
    ['DELETE', `/v1/keys/${newId('key')}`],
    ['GET', '/v1/registries'],
    ['PUT', '/v1/registries/x.example'],
    ['DELETE', '/v1/registries/x.example'],
    ['GET', '/v1/workers'],
    ['POST', `/v1/workers/${newId('wrk')}/drain`],
    ['DELETE', `/v1/workers/${newId('wrk')}/drain`],
  ])('may not %s %s, and is told which role it takes', async (method, path) => {
    const member = await on.caller('default', 'member');
    const problem = await problemOf(
      await member(method, path, method === 'GET' ? undefined : {}),
      403,
      'forbidden',
    );
    expect(problem.detail).toContain('`admin`');
  });

  test.each([
    '/v1/runs',
    '/v1/services',
    '/v1/volumes',
    '/v1/webhooks',
    '/v1/deliveries',
    '/v1/images',
    '/v1/languages',
  ])('may GET %s', async (path) => {
    const member = await on.caller('default', 'member');
    expect((await member('GET', path)).status).toBe(200);
  });
});
