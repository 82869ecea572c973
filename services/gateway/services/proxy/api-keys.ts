import { digestOf } from '../../../../shared/secrets.ts';
import type { ApiKeyStore, Identity } from '../../../../shared/stores/api-keys.ts';
import { rememberRecent } from './recent.ts';

/** A revoked key works no longer than this. */
const cachedMs = 5_000;
const mostCached = 1_000;

export type KnownKeys = ReturnType<typeof knowKeys>;

/**
 * Whose API key a bearer token is. Unlike at the API, most that come by here are no keys but tokens of the services' own: that is
 * remembered too, apart from the keys, so that guesses push none out.
 */
export function knowKeys(apiKeys: ApiKeyStore) {
  const known = rememberRecent<{ identity: Identity; until: number }>(mostCached);
  const strange = rememberRecent<number>(mostCached);

  return async function identify(token: string): Promise<Identity | undefined> {
    const digest = digestOf(token);
    const now = performance.now();
    const cached = known.get(digest);
    if (cached !== undefined && cached.until > now) return cached.identity;
    if ((strange.get(digest) ?? 0) > now) return undefined;
    const identity = await apiKeys.find(token);
    if (identity === undefined) strange.put(digest, now + cachedMs);
    else known.put(digest, { identity, until: now + cachedMs });
    return identity;
  };
}
