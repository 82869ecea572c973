import type { ApiKey, KeyRole, NewKey } from '../../../shared/contracts/key.ts';
import { isId, madeAt, newId } from '../../../shared/ids.ts';
import type { Keys } from '../../../shared/keys.ts';
import { Problem } from '../../../shared/problems.ts';
import type { RedisConnection } from '../../../shared/redis.ts';
import { digestOf } from '../../../shared/secrets.ts';
import { scriptsIn, text } from '../../../shared/stores/scripts.ts';
import { gatewayLifeMs } from './gateways.ts';

/** Who makes a request. */
export type Identity = {
  keyId: string;
  /** Of the key: what it is found by. */
  digest: string;
  tenant: string;
  role: KeyRole;
  /** In ms; undefined: never. */
  expiresAt: number | undefined;
};

/** As it lies in Redis. What is optional is missing in what earlier versions wrote, who knew the role `user` as well. */
export type StoredKey = {
  keyId: string;
  tenant: string;
  role: KeyRole | 'user';
  name?: string;
  createdAt?: string;
  /** In ms. */
  expiresAt?: number;
};

/** A key in the list of its tenant, with what a change of it is checked against. */
type Listed = StoredKey & { digest: string; text: string };

export type ApiKeyStore = ReturnType<typeof createApiKeyStore>;

/** Keys of a tenant: far above what people make by hand, and few enough to be read at once. */
export const maxKeys = 1_000;
/** Digests of keys that were taken back: 2 MiB. */
const maxRevoked = 20_000;
/** Of a list that others change as fast as it is read: then something is wrong. */
const maxTries = 100;

const { loadScript } = scriptsIn(import.meta.url);
const create = loadScript('key-create');
const revoke = loadScript('key-revoke');

/** API keys by digest: the key itself is stored nowhere. */
export function createApiKeyStore(redis: RedisConnection, keys: Keys) {
  async function list(tenant: string): Promise<Listed[]> {
    const all = await redis.hgetall(keys.apiKeys);
    return Object.entries(all).flatMap(([digest, record]) => {
      const stored = parse(record);
      return stored?.tenant === tenant ? [{ ...stored, digest, text: record }] : [];
    });
  }

  /** @param heir must still be there */
  async function takeBack(found: Listed, heir: Listed | null): Promise<string[]> {
    const reply = (await revoke(
      redis,
      [
        ...[keys.apiKeys, keys.apiKeyIds, keys.apiKeyUses, keys.revokedKeys, keys.gateways],
        keys.apiKeysRevision,
      ],
      [
        ...[found.keyId, found.digest, found.text, heir?.digest ?? '', heir?.text ?? ''],
        ...[keys.apiKeysWake, maxRevoked, gatewayLifeMs],
      ],
    )) as unknown[];
    return reply.map(text);
  }

  async function identity(digest: string): Promise<Identity | undefined> {
    const found = await redis.hget(keys.apiKeys, digest);
    const stored = found === null ? undefined : parse(found);
    return stored && identityOf(stored, digest);
  }

  return {
    async put(apiKey: string, stored: StoredKey): Promise<void> {
      const digest = digestOf(apiKey);
      await redis
        .multi()
        .hset(keys.apiKeys, digest, JSON.stringify(stored))
        .hset(keys.apiKeyIds, stored.keyId, digest)
        .exec();
    },

    /** Puts the key only where there is none at all: of two gateways that start at once, one makes the key. */
    async putFirst(apiKey: string, stored: StoredKey): Promise<boolean> {
      const args = [digestOf(apiKey), JSON.stringify(stored), stored.keyId, 0];
      return text(await create(redis, [keys.apiKeys, keys.apiKeyIds], args)) === 'created';
    },

    /** Puts a key that was known once, unless it still is, or was taken back. */
    async putAgain(apiKey: string, stored: StoredKey): Promise<'put' | 'known' | 'revoked'> {
      const digest = digestOf(apiKey);
      if ((await redis.hexists(keys.apiKeys, digest)) === 1) return 'known';
      const gone = await Promise.all(
        [keys.revokedKeys, keys.broughtKeys].map((set) => redis.zscore(set, digest)),
      );
      if (gone.some((score) => score !== null)) return 'revoked';
      if ((await redis.hsetnx(keys.apiKeys, digest, JSON.stringify(stored))) === 0) return 'known';
      await redis.hset(keys.apiKeyIds, stored.keyId, digest);
      return 'put';
    },

    identity,

    /** The record of a key as earlier versions wrote it, who noted neither when it was made nor where it came from. */
    async findEarly(apiKey: string): Promise<StoredKey | undefined> {
      const found = await redis.hget(keys.apiKeys, digestOf(apiKey));
      const stored = found === null ? undefined : parse(found);
      return stored?.createdAt === undefined ? stored : undefined;
    },

    async findById(id: string): Promise<Identity | undefined> {
      const digest = await redis.hget(keys.apiKeyIds, id);
      const found = digest === null ? undefined : await identity(digest);
      return found?.keyId === id ? found : undefined;
    },

    /** Those of these digests whose keys there are no more. */
    async gone(digests: readonly string[]): Promise<string[]> {
      if (digests.length === 0) return [];
      const records = await redis.hmget(keys.apiKeys, ...digests);
      return digests.filter((_, i) => records[i] === null);
    },

    /** What earlier versions have written, and gateways of them still do, has no id to be found by. */
    async indexIds(): Promise<void> {
      for (const [digest, record] of Object.entries(await redis.hgetall(keys.apiKeys))) {
        const id = parse(record)?.keyId;
        if (id !== undefined) await redis.hsetnx(keys.apiKeyIds, id, digest);
      }
    },

    /** All of a tenant, at most `maxKeys`, in no order. */
    async all(tenant: string): Promise<ApiKey[]> {
      const [found, uses] = await Promise.all([list(tenant), redis.hgetall(keys.apiKeyUses)]);
      return found.map((stored) => presentKey(stored, Number(uses[stored.keyId] ?? 0)));
    },

    /** Throws 429 when the tenant has too many. @param apiKey what was made for it: it leaves here, and never again */
    async create(tenant: string, wanted: NewKey, apiKey: string): Promise<ApiKey> {
      const stored: StoredKey = {
        keyId: newId('key'),
        tenant,
        role: wanted.role,
        name: wanted.name,
        createdAt: new Date().toISOString(),
        ...(wanted.expiresAt !== null && { expiresAt: Date.parse(wanted.expiresAt) }),
      };
      for (let tries = 0; tries < maxTries; tries += 1) {
        const [count, own] = [await redis.hlen(keys.apiKeys), await list(tenant)];
        const room = maxKeys - 1 - own.length;
        if (room < 0)
          throw new Problem(
            'quota_exceeded',
            `A tenant may have ${maxKeys} API keys: take one back that is not used.`,
            { retryAfterSeconds: 60 },
          );
        const args = [digestOf(apiKey), JSON.stringify(stored), stored.keyId, count + room];
        const reply = await create(redis, [keys.apiKeys, keys.apiKeyIds], args);
        if (text(reply) === 'created') return presentKey(stored, 0);
      }
      throw changing();
    },

    /**
     * Takes a key back, at once; what is still to be told who has it in mind is the caller's. `undefined`: the tenant has none with this
     * id. Throws 409 for the last admin key: one that expires keeps nobody in, so it takes one that does not.
     */
    async revoke(
      tenant: string,
      id: string,
      now = Date.now(),
    ): Promise<{ revision: number; gateways: string[] } | undefined> {
      for (let tries = 0; tries < maxTries; tries += 1) {
        const all = await list(tenant);
        const found = all.find(({ keyId }) => keyId === id);
        if (found === undefined) return undefined;
        const heir = heirOf(found, all, now);
        if (heir === undefined) throw lastAdmin();
        const [outcome, revision, ...gateways] = await takeBack(found, heir);
        if (outcome === 'revoked') return { revision: Number(revision), gateways };
      }
      throw changing();
    },

    /** @param uses when each was last used, in ms, by id. The sweep forgets those of keys that are gone by then */
    async noteUses(uses: ReadonlyMap<string, number>): Promise<void> {
      await redis.hset(keys.apiKeyUses, Object.fromEntries(uses));
    },

    /** Takes back what expired before `then`, and forgets the uses of keys that there are no more. */
    async sweep(then: number): Promise<void> {
      for (const [digest, record] of Object.entries(await redis.hgetall(keys.apiKeys))) {
        const stored = parse(record);
        if (stored?.expiresAt === undefined || stored.expiresAt > then) continue;
        await takeBack({ ...stored, digest, text: record }, null);
      }
      const [used, records] = await Promise.all([redis.hkeys(keys.apiKeyUses), redis.hvals(keys.apiKeys)]);
      const present = new Set(records.map((record) => parse(record)?.keyId));
      const orphans = used.filter((id) => !present.has(id));
      if (orphans.length > 0) await redis.hdel(keys.apiKeyUses, ...orphans);
    },
  };
}

/** The key that keeps somebody in when `found` goes; null: none needs to. `undefined`: nobody would be left. */
function heirOf(found: Listed, all: Listed[], now: number): Listed | null | undefined {
  if (found.role !== 'admin' || isExpired(found, now)) return null;
  const others = all.filter(({ role, keyId }) => role === 'admin' && keyId !== found.keyId);
  const lasting = others.find(({ expiresAt }) => expiresAt === undefined);
  // One that is to expire anyway leaves no less behind than it would then.
  if (lasting !== undefined || found.expiresAt === undefined) return lasting;
  return others.find((one) => !isExpired(one, now));
}

export const isExpired = ({ expiresAt }: { expiresAt?: number | undefined }, now: number) =>
  expiresAt !== undefined && expiresAt <= now;

const lastAdmin = () =>
  new Problem(
    'conflict',
    'This is the last admin key that does not expire, and nobody could make another one: make one first (POST /v1/keys with role admin and without expiresAt).',
  );

const changing = () =>
  new Problem('overloaded', 'The keys are being changed by others: try again.', { retryAfterSeconds: 1 });

function identityOf({ keyId, tenant, role, expiresAt }: StoredKey, digest: string): Identity {
  return { keyId, digest, tenant, role: roleOf(role), expiresAt };
}

/** Whatever is not an admin's is a member's; earlier versions said `user`. */
const roleOf = (role: StoredKey['role']): KeyRole => (role === 'admin' ? 'admin' : 'member');

function presentKey({ keyId, role, name, createdAt, expiresAt }: StoredKey, usedAt: number): ApiKey {
  return {
    id: keyId,
    name: name ?? 'unnamed',
    role: roleOf(role),
    // Earlier versions did not write it; an id holds it.
    createdAt: createdAt ?? timeOf(isId('key', keyId) ? madeAt(keyId) : 0),
    lastUsedAt: usedAt > 0 ? timeOf(usedAt) : null,
    expiresAt: expiresAt === undefined ? null : timeOf(expiresAt),
  };
}

const timeOf = (ms: number) => new Date(ms).toISOString();

/** What cannot be read opens nothing; the others do all the same. */
function parse(record: string): StoredKey | undefined {
  try {
    const value = JSON.parse(record) as StoredKey | null;
    return typeof value?.keyId === 'string' && typeof value.tenant === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
