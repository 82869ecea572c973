import { LRUCache } from 'lru-cache';
import { digestOf } from '../../../../shared/secrets.ts';
import type { Keyring } from '../../keyring/keyring.ts';
import type { Identity } from '../../stores/api-keys.ts';
import { after } from '../maybe-async.ts';

/** A token that is no key is looked up again after this time. */
const unknownMs = 5_000;
const maxUnknown = 1_000;

export type KnownKeys = ReturnType<typeof createKnownKeys>;

type Found = Identity | undefined | Promise<Identity | undefined>;

/**
 * Finds out whose key a request has. Unlike at the API, most bearer tokens here are no keys but the services' own tokens: those are
 * remembered too.
 */
export function createKnownKeys(keyring: Keyring) {
  const unknownTokens = new LRUCache<string, true>({ max: maxUnknown, ttl: unknownMs });
  const good = (identity: Identity | undefined) =>
    identity !== undefined && keyring.admits(identity) ? identity : undefined;

  return {
    /** By a bearer token. Undefined if it is no key, or no key any more. */
    byToken(token: string): Found {
      const name = digestOf(token);
      if (unknownTokens.has(name)) return undefined;
      return after(keyring.whose(token), (identity) => {
        if (identity === undefined) unknownTokens.set(name, true);
        return good(identity);
      });
    },

    /** By the id of the key that a signed URL was made with. */
    byId: (keyId: string): Found => after(keyring.whoseId(keyId), good),

    hold: keyring.hold,
  };
}
