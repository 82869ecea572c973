import type { ApiKeyStore, Identity } from '../stores/api-keys.ts';
import { isExpired } from '../stores/api-keys.ts';

/** Within this time it is noticed that a key has expired, or was revoked without a message to us. */
const checkMs = 3_000;

type Ongoing = { identity: Identity; ends: Set<() => void> };

/**
 * What goes on with a key: requests that wait, streams, WebSockets, connections to services. All of it ends when the key ends.
 */
export function createOngoing(apiKeys: ApiKeyStore) {
  const byKey = new Map<string, Ongoing>();
  let timer: NodeJS.Timeout | undefined;
  let checking = false;

  function end(one: Ongoing): void {
    if (byKey.get(one.identity.keyId) === one) byKey.delete(one.identity.keyId);
    const ends = [...one.ends];
    one.ends.clear();
    for (const whenOver of ends) whenOver();
  }

  async function check(): Promise<void> {
    if (checking) return;
    checking = true;
    try {
      const all = [...byKey.values()];
      for (const one of all) if (isExpired(one.identity, Date.now())) end(one);
      const gone = new Set(await apiKeys.gone(all.map(({ identity }) => identity.digest)));
      for (const one of all) if (gone.has(one.identity.digest)) end(one);
    } catch {
      // Redis does not answer, so nobody can revoke a key there. The next check will find out.
    } finally {
      checking = false;
      if (byKey.size === 0) {
        clearInterval(timer);
        timer = undefined;
      }
    }
  }

  return {
    check,

    /** `whenOver` is called once, when the key ends, unless the returned function was called before. */
    hold(identity: Identity, whenOver: () => void): () => void {
      let one = byKey.get(identity.keyId);
      if (one === undefined) {
        one = { identity, ends: new Set() };
        byKey.set(identity.keyId, one);
      }
      const { ends } = one;
      // The same function may be given twice.
      const entry = () => whenOver();
      ends.add(entry);
      timer ??= setInterval(() => void check(), checkMs).unref();
      return () => {
        ends.delete(entry);
        if (ends.size === 0 && byKey.get(identity.keyId)?.ends === ends) byKey.delete(identity.keyId);
      };
    },

    revoked(keyId: string): void {
      const one = byKey.get(keyId);
      if (one !== undefined) end(one);
    },
  };
}
