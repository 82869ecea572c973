import { createMiddleware } from 'hono/factory';
import { Problem } from '../../../shared/problems.ts';
import { digestOf } from '../../../shared/secrets.ts';
import type { ApiKeyStore, Identity } from '../../../shared/stores/api-keys.ts';
import type { GatewayEnv } from './context.ts';

const publicPaths = new Set(['/healthz', '/readyz', '/openapi.json', '/docs']);
const isPublic = (path: string) => publicPaths.has(path) || path.startsWith('/docs/');

/** A revoked key works no longer than this. */
const cachedMs = 5_000;
const mostCached = 1_000;

/** Bearer keys (RFC 6750) on everything but health and documentation (API.md). */
export function authenticate(apiKeys: ApiKeyStore, now: () => number = Date.now) {
  // In order of insertion: the first is the oldest.
  const known = new Map<string, { identity: Identity; until: number }>();

  async function identify(apiKey: string): Promise<Identity | undefined> {
    const digest = digestOf(apiKey);
    const cached = known.get(digest);
    if (cached !== undefined && cached.until > now()) return cached.identity;
    known.delete(digest);
    const identity = await apiKeys.find(apiKey);
    // Unknown keys are not remembered: a key works as soon as it is made, and guesses push nobody out.
    if (identity === undefined) return undefined;
    known.set(digest, { identity, until: now() + cachedMs });
    if (known.size > mostCached) known.delete(known.keys().next().value as string);
    return identity;
  }

  return createMiddleware<GatewayEnv>(async (c, next) => {
    if (isPublic(c.req.path)) return next();
    const credentials = c.req.header('authorization');
    const apiKey = /^Bearer +([\x21-\x7e]{1,1024})$/i.exec(credentials ?? '')?.[1];
    if (apiKey === undefined)
      throw new Problem('unauthorized', 'Send your API key as `Authorization: Bearer <key>`.');
    const identity = await identify(apiKey);
    if (identity === undefined)
      throw new Problem(
        'unauthorized',
        'This API key is not known: take the one that was printed at the first start, or set RUNLET_API_KEY.',
      );
    c.set('identity', identity);
    return next();
  });
}
