import type { ApiKeyStore, Identity } from '../stores/api-keys.ts';
import { isExpired } from '../stores/api-keys.ts';

/** A key that was taken back without our hearing of it, or has expired, is found out within this. */
const checkMs = 3_000;

type Held = { identity: Identity; ends: Set<() => void> };

/**
 * What is going on in the name of a key: requests that wait, streams, WebSockets, connections to services. It ends when the key does.
 */
export function createHeld(apiKeys: ApiKeyStore) {
  const held = new Map<string, Held>();
  let timer: NodeJS.Timeout | undefined;
  let checking = false;

  function end(one: Held): void {
    if (held.get(one.identity.keyId) === one) held.delete(one.identity.keyId);
    const ends = [...one.ends];
    one.ends.clear();
    for (const whenOver of ends) whenOver();
  }

  async function check(): Promise<void> {
    if (checking) return;
    checking = true;
    try {
      const all = [...held.values()];
      for (const one of all) if (isExpired(one.identity, Date.now())) end(one);
      const gone = new Set(await apiKeys.gone(all.map(({ identity }) => identity.digest)));
      for (const one of all) if (gone.has(one.identity.digest)) end(one);
    } catch {
      // Redis is away: nobody can have taken a key back there; the next look tells.
    } finally {
      checking = false;
      if (held.size === 0) {
        clearInterval(timer);
        timer = undefined;
      }
    }
  }

  return {
    check,

    /** `end` is called once, when the key ends, unless the answer was called before. */
    hold(identity: Identity, whenOver: () => void): () => void {
      let one = held.get(identity.keyId);
      if (one === undefined) {
        one = { identity, ends: new Set() };
        held.set(identity.keyId, one);
      }
      const { ends } = one;
      // The same function may be given twice.
      const entry = () => whenOver();
      ends.add(entry);
      timer ??= setInterval(() => void check(), checkMs).unref();
      return () => {
        ends.delete(entry);
        if (ends.size === 0 && held.get(identity.keyId)?.ends === ends) held.delete(identity.keyId);
      };
    },

    revoked(keyId: string): void {
      const one = held.get(keyId);
      if (one !== undefined) end(one);
    },
  };
}
