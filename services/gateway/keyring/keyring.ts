import { LRUCache } from 'lru-cache';
import type { Keys } from '../../../shared/keys.ts';
import type { Log } from '../../../shared/log.ts';
import { digestOf } from '../../../shared/secrets.ts';
import type { Wakeups } from '../../../shared/wakeups.ts';
import { type ApiKeyStore, type Identity, isExpired } from '../stores/api-keys.ts';
import type { GatewayRegister } from '../stores/gateways.ts';
import { createHearing } from './hearing.ts';
import { createHeld } from './held.ts';
import { createUses } from './uses.ts';

/** What was changed in Redis by another hand than ours is seen after this. */
const cachedMs = 5_000;
const maxCached = 1_000;
/** Of a look at Redis, while keys are taken back one after another. */
const maxLooks = 5;

export type Keyring = ReturnType<typeof createKeyring>;

/**
 * Whose key it is, without a look at Redis each time, and nevertheless at once with what is taken back: what is remembered counts only
 * while this gateway hears of that (hearing.ts). A key that is taken back ends what goes on in its name (held.ts).
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
  const held = createHeld(apiKeys);
  const uses = createUses(apiKeys, log);
  /** Changes with each key that is taken back: what was read before it is not to be remembered after it. */
  let epoch = 0;

  const hearing = createHearing({
    ...{ register, wakeups, keys, log },
    events: { revoked: drop, missed },
  });

  function drop(keyId: string): void {
    epoch += 1;
    for (const [name, identity] of known.entries()) if (identity.keyId === keyId) known.delete(name);
    held.revoked(keyId);
  }

  function missed(): void {
    epoch += 1;
    known.clear();
    void held.check();
  }

  function recall(
    name: string,
    read: () => Promise<Identity | undefined>,
  ): Identity | undefined | Promise<Identity | undefined> {
    const cached = known.get(name);
    return cached !== undefined && hearing.trusts(performance.now()) ? cached : look(name, read);
  }

  async function look(name: string, read: () => Promise<Identity | undefined>) {
    hearing.begin();
    for (let looks = 1; ; looks += 1) {
      const before = epoch;
      const identity = await read();
      // Unknown keys are not remembered: a key works as soon as it is made, and guesses push nobody out.
      if (identity === undefined) return undefined;
      if (epoch === before) {
        known.set(name, identity);
        return identity;
      }
      if (looks === maxLooks) return identity;
    }
  }

  return {
    /** Whose it is, expired or not. */
    whose(apiKey: string): Identity | undefined | Promise<Identity | undefined> {
      const digest = digestOf(apiKey);
      return recall(digest, () => apiKeys.identity(digest));
    },

    /** Whose this key is that something was made with. */
    whoseId: (keyId: string) => recall(keyId, () => apiKeys.findById(keyId)),

    /** Whether it lets in now; that is noted as a use of it. */
    admits(identity: Identity): boolean {
      if (isExpired(identity, Date.now())) return false;
      uses.note(identity.keyId);
      return true;
    },

    /** `whenOver` is called once when the key ends, unless the answer was called before. */
    hold: held.hold,

    /** Takes a key back, and answers when no gateway lets it in any more. False: the tenant has none with this id. */
    async revoke(tenant: string, keyId: string): Promise<boolean> {
      const done = await apiKeys.revoke(tenant, keyId);
      if (done === undefined) return false;
      drop(keyId);
      await hearing.told(done.revision, done.gateways);
      return true;
    },

    bring: hearing.bring,
    begin: hearing.begin,
    async stop(): Promise<void> {
      await uses.write();
      await hearing.stop();
    },
  };
}
