import { LRUCache } from 'lru-cache';
import type { Keys } from '../../../shared/keys.ts';
import type { Log } from '../../../shared/log.ts';
import { digestOf } from '../../../shared/secrets.ts';
import type { Wakeups } from '../../../shared/wakeups.ts';
import { type ApiKeyStore, type Identity, isExpired } from '../stores/api-keys.ts';
import type { GatewayRegister } from '../stores/gateways.ts';
import { createOngoing } from './ongoing.ts';
import { createRevocationFeed } from './revocation-feed.ts';
import { createUses } from './uses.ts';

/** After this time a change is seen that was made in Redis by other means. */
const cachedMs = 5_000;
const maxCached = 1_000;
/** How often Redis is asked again while keys are being revoked one after another. */
const maxLooks = 5;

export type Keyring = ReturnType<typeof createKeyring>;

/**
 * Finds out whose key it is. It does not ask Redis each time, and yet a revoked key ends at once: remembered keys count only
 * while this gateway hears of that (revocation-feed.ts). A key that is taken back ends what goes on in its name (ongoing.ts).
 */
export function createKeyring(parts: {
  apiKeys: ApiKeyStore;
  register: GatewayRegister;
  keys: Keys;
  wakeups: Wakeups;
  log: Log;
}) {
  const { apiKeys, register, keys, wakeups, log } = parts;
  /** By digest, and by `key_…`, which no digest looks like. */
  const known = new LRUCache<string, Identity>({ max: maxCached, ttl: cachedMs });
  const ongoing = createOngoing(apiKeys);
  const uses = createUses(apiKeys, log);
  /** Counts revocations: what was read before one must not be remembered after it. */
  let epoch = 0;

  const feed = createRevocationFeed({
    ...{ register, wakeups, keys, log },
    events: { revoked: drop, missed },
  });

  function drop(keyId: string): void {
    epoch += 1;
    for (const [name, identity] of known.entries()) if (identity.keyId === keyId) known.delete(name);
    ongoing.revoked(keyId);
  }

  function missed(): void {
    epoch += 1;
    known.clear();
    void ongoing.check();
  }

  function recall(
    name: string,
    read: () => Promise<Identity | undefined>,
  ): Identity | undefined | Promise<Identity | undefined> {
    const cached = known.get(name);
    return cached !== undefined && feed.trusts(performance.now()) ? cached : look(name, read);
  }

  async function look(name: string, read: () => Promise<Identity | undefined>) {
    feed.begin();
    for (let looks = 1; ; looks += 1) {
      const before = epoch;
      const identity = await read();
      // Unknown keys are not remembered: a key works as soon as it is made, and wrong guesses push no good key out.
      if (identity === undefined) return undefined;
      if (epoch === before) {
        known.set(name, identity);
        return identity;
      }
      if (looks === maxLooks) return identity;
    }
  }

  return {
    /** The owner of the key, expired or not. */
    whose(apiKey: string): Identity | undefined | Promise<Identity | undefined> {
      const digest = digestOf(apiKey);
      return recall(digest, () => apiKeys.identity(digest));
    },

    /** The same by the id of a key, for a token that was made with it. */
    whoseId: (keyId: string) => recall(keyId, () => apiKeys.findById(keyId)),

    /** Whether it lets in now; that is noted as a use of it. */
    admits(identity: Identity): boolean {
      if (isExpired(identity, Date.now())) return false;
      uses.note(identity.keyId);
      return true;
    },

    /** `whenOver` is called once, when the key ends, unless the returned function was called before. */
    hold: ongoing.hold,

    /** Revokes a key; resolves when no gateway accepts it any more. False: the tenant has no key with this id. */
    async revoke(tenant: string, keyId: string): Promise<boolean> {
      const done = await apiKeys.revoke(tenant, keyId);
      if (done === undefined) return false;
      drop(keyId);
      await feed.told(done.revision, done.gateways);
      return true;
    },

    bring: feed.bring,
    begin: feed.begin,
    async stop(): Promise<void> {
      await uses.write();
      await feed.stop();
    },
  };
}
