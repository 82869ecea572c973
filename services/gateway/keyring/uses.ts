import { LRUCache } from 'lru-cache';
import type { Log } from '../../../shared/log.ts';
import type { ApiKeyStore } from '../stores/api-keys.ts';

/** For a key that is used all the time, its use is stored once in this time. */
const everyMs = 60_000;
/** Uses within this time are stored together, after the requests that made them. */
const gatherMs = 100;
const maxKnown = 10_000;

/** When each key was last used: `lastUsedAt`, to the minute. */
export function createUses(apiKeys: ApiKeyStore, log: Log) {
  const told = new LRUCache<string, true>({ max: maxKnown, ttl: everyMs });
  let due = new Map<string, number>();

  async function write(): Promise<void> {
    if (due.size === 0) return;
    const uses = due;
    due = new Map();
    await apiKeys
      .noteUses(uses)
      .catch((error: Error) => log.warn({ reason: error.message }, 'uses of keys were not written down'));
  }

  return {
    /** Stores what is due. */
    write,

    note(keyId: string): void {
      if (told.has(keyId)) return;
      told.set(keyId, true);
      if (due.size === 0) setTimeout(() => void write(), gatherMs).unref();
      due.set(keyId, Date.now());
    },
  };
}
