import { LRUCache } from 'lru-cache';
import { digestOf } from '../../../../shared/secrets.ts';
import type { Keyring } from '../../keyring/keyring.ts';
import type { Identity } from '../../stores/api-keys.ts';
import { after } from '../maybe-async.ts';

/** A token that is no key is asked for again after this. */
const strangeMs = 5_000;
const maxStrange = 1_000;

export type KnownKeys = ReturnType<typeof knowKeys>;

type Found = Identity | undefined | Promise<Identity | undefined>;

/**
 * Whose key lets a request in. Unlike at the API, most bearer tokens that come by here are no keys but tokens of the services' own: that
 * is remembered too.
 */
export function knowKeys(keyring: Keyring) {
  const strange = new LRUCache<string, true>({ max: maxStrange, ttl: strangeMs });
  const good = (identity: Identity | undefined) =>
    identity !== undefined && keyring.admits(identity) ? identity : undefined;

  return {
    /** By a bearer token. Undefined for what is no key, or none any more. */
    byToken(token: string): Found {
      const name = digestOf(token);
      if (strange.has(name)) return undefined;
      return after(keyring.whose(token), (identity) => {
        if (identity === undefined) strange.set(name, true);
        return good(identity);
      });
    },

    /** By the key that a signed URL was made with. */
    byId: (keyId: string): Found => after(keyring.whoseId(keyId), good),

    hold: keyring.hold,
  };
}
