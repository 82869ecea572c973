import { compress } from 'hono/compress';
import { createMiddleware } from 'hono/factory';
import type { GatewayEnv } from './context.ts';

/** Below this, gzip takes longer than the bytes that it saves: most answers to a run are sent as they are. */
export const leastBytes = 4096;

const squeeze = compress({ encoding: 'gzip', threshold: leastBytes });

/**
 * gzip for large answers, of types that it makes smaller, to clients that take it. Only for an answer whose length is known, which is there
 * as a whole: events and other streams are never held back. Requests for services do not come here.
 */
export const compressLarge = createMiddleware<GatewayEnv>(async (c, next) => {
  await next();
  if (Number(c.res.headers.get('content-length') ?? 0) < leastBytes) return;
  await squeeze(c, async () => {});
});
