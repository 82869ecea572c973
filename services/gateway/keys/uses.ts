import type { Log } from '../../../shared/log.ts';
import { rememberRecent } from '../proxy/lru.ts';
import type { ApiKeyStore } from '../stores/api-keys.ts';

/** A key that is used all the time is written down once in this. */
const everyMs = 60_000;
/** Those that come together are written together, and behind the requests that they come with. */
const gatherMs = 100;
const maxKnown = 10_000;

/** When each key was last used: `lastUsedAt`, to the minute. */
export function createUses(apiKeys: ApiKeyStore, log: Log) {
  const told = rememberRecent<number>(maxKnown);
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
    /** Writes down what is due. */
    write,

    /** @param now by performance.now() */
    note(keyId: string, now: number): void {
      const last = told.get(keyId);
      if (last !== undefined && now - last < everyMs) return;
      told.put(keyId, now);
      if (due.size === 0) setTimeout(() => void write(), gatherMs).unref();
      due.set(keyId, Date.now());
    },
  };
}
