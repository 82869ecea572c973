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
  /** The digest of the key, by which its record is found. */
  digest: string;
  tenant: string;
  role: KeyRole;
  /** In ms; undefined: never. */
  expiresAt: number | undefined;
};

/** The record in Redis. Earlier versions did not write the optional fields, and wrote the role `user` for `member`. */
export type StoredKey = {
  keyId: string;
  tenant: string;
  role: KeyRole | 'user';
  name?: string;
  createdAt?: string;
  /** In ms. */
  expiresAt?: number;
};

/** A key of a tenant, with its record as text: a script changes it only while the record is still this one. */
type Listed = StoredKey & { digest: string; text: string };

export type ApiKeyStore = ReturnType<typeof createApiKeyStore>;

/** Of one tenant: more than anybody makes by hand, and few enough to be read at once. */
export const maxKeys = 1_000;
/** Digests of revoked keys that are remembered; they take 2 MiB. */
const maxRevoked = 20_000;
/** Another try is needed when somebody else changed the keys meanwhile. After so many, something is wrong. */
const maxTries = 100;

const { loadScript } = scriptsIn(import.meta.url);
const create = loadScript('key-create');
const revoke = loadScript('key-revoke');

/** API keys by their digest: the keys themselves are stored nowhere. */
export function createApiKeyStore(redis: RedisConnection, keys: Keys) {
  async function list(tenant: string): Promise<Listed[]> {
    const all = await redis.hgetall(keys.apiKeys);
    return Object.entries(all).flatMap(([digest, record]) => {
      const stored = parse(record);
      return stored?.tenant === tenant ? [{ ...stored, digest, text: record }] : [];
    });
  }

  /** @param remaining another admin key: nothing is revoked if it is gone by now. Null: none is needed */
  async function takeBack(found: Listed, remaining: Listed | null): Promise<string[]> {
    const reply = (await revoke(
      redis,
      [
        ...[keys.apiKeys, keys.apiKeyIds, keys.apiKeyUses, keys.revokedKeys, keys.gateways],
        keys.apiKeysRevision,
      ],
      [
        ...[found.keyId, found.digest, found.text, remaining?.digest ?? '', remaining?.text ?? ''],
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

    /** Stores the key only if there is no key at all: of two gateways that start at once, one makes the first key. */
    async putFirst(apiKey: string, stored: StoredKey): Promise<boolean> {
      const args = [digestOf(apiKey), JSON.stringify(stored), stored.keyId, 0];
      return text(await create(redis, [keys.apiKeys, keys.apiKeyIds], args)) === 'created';
    },

    /** Stores a key that was known before; not if it is still there, or was revoked. */
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

    /** A record that an earlier version wrote: without the time at which the key was made, or where it came from. */
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

    /** Which of these digests belong to no key any more. */
    async gone(digests: readonly string[]): Promise<string[]> {
      if (digests.length === 0) return [];
      const records = await redis.hmget(keys.apiKeys, ...digests);
      return digests.filter((_, i) => records[i] === null);
    },

    /** Gateways of earlier versions write keys without an entry in the index of ids: it is added here. */
    async indexIds(): Promise<void> {
      for (const [digest, record] of Object.entries(await redis.hgetall(keys.apiKeys))) {
        const id = parse(record)?.keyId;
        if (id !== undefined) await redis.hsetnx(keys.apiKeyIds, id, digest);
      }
    },

    /** All keys of a tenant, at most `maxKeys`, in no particular order. */
    async all(tenant: string): Promise<ApiKey[]> {
      const [found, uses] = await Promise.all([list(tenant), redis.hgetall(keys.apiKeyUses)]);
      return found.map((stored) => presentKey(stored, Number(uses[stored.keyId] ?? 0)));
    },

    /** Throws 429 when the tenant has too many. @param apiKey the key itself, of which only the digest is stored */
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
     * Revokes a key at once. The caller tells the gateways that remember it. `undefined`: the tenant has no key with this
     * id. Throws 409 for the last admin key that does not expire: without one, nobody could make keys some day.
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
        const remaining = remainingAdmin(found, all, now);
        if (remaining === undefined) throw lastAdmin();
        const [outcome, revision, ...gateways] = await takeBack(found, remaining);
        if (outcome === 'revoked') return { revision: Number(revision), gateways };
      }
      throw changing();
    },

    /** @param uses by key id, when each was last used, in ms. `sweep` removes the entries of keys that are gone */
    async noteUses(uses: ReadonlyMap<string, number>): Promise<void> {
      await redis.hset(keys.apiKeyUses, Object.fromEntries(uses));
    },

    /** Removes keys that expired before `then`, and the last uses of keys that are gone. */
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

/** An admin key that stays when `found` goes; null: none is needed. `undefined`: `found` is the last one. */
function remainingAdmin(found: Listed, all: Listed[], now: number): Listed | null | undefined {
  if (found.role !== 'admin' || isExpired(found, now)) return null;
  const others = all.filter(({ role, keyId }) => role === 'admin' && keyId !== found.keyId);
  const lasting = others.find(({ expiresAt }) => expiresAt === undefined);
  // `found` expires as well: without it there is no less than there would be at that time.
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

/** Earlier versions wrote `user` for `member`. */
const roleOf = (role: StoredKey['role']): KeyRole => (role === 'admin' ? 'admin' : 'member');

function presentKey({ keyId, role, name, createdAt, expiresAt }: StoredKey, usedAt: number): ApiKey {
  return {
    id: keyId,
    name: name ?? 'unnamed',
    role: roleOf(role),
    // Earlier versions did not store it, but an id contains the time at which it was made.
    createdAt: createdAt ?? timeOf(isId('key', keyId) ? madeAt(keyId) : 0),
    lastUsedAt: usedAt > 0 ? timeOf(usedAt) : null,
    expiresAt: expiresAt === undefined ? null : timeOf(expiresAt),
  };
}

const timeOf = (ms: number) => new Date(ms).toISOString();

/** A record that cannot be read is no key. The other keys go on working. */
function parse(record: string): StoredKey | undefined {
  try {
    const value = JSON.parse(record) as StoredKey | null;
    return typeof value?.keyId === 'string' && typeof value.tenant === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
