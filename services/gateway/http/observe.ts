import { randomBytes } from 'node:crypto';
import { createMiddleware } from 'hono/factory';
import type { Log } from '../../../shared/log.ts';
import type { GatewayEnv } from './context.ts';
import { toProblem } from './errors.ts';

export type RequestObserver = (route: string, method: string, status: number, seconds: number) => void;

const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);

/** Request id, security headers, one line in the access log, one count in the metrics. No body, no query, no key. */
export function observe(log: Log, count: RequestObserver) {
  return createMiddleware<GatewayEnv>(async (c, next) => {
    const began = performance.now();
    const given = c.req.header('x-request-id');
    const requestId =
      given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : randomBytes(8).toString('hex');
    c.set('requestId', requestId);
    c.set('route', 'none');
    await next();
    const { headers, status } = c.res;
    headers.set('x-request-id', requestId);
    headers.set('x-content-type-options', 'nosniff');
    if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
    if (!headers.has('content-security-policy'))
      headers.set('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
    headers.set('referrer-policy', 'no-referrer');

    const ms = performance.now() - began;
    const method = knownMethods.has(c.req.method) ? c.req.method : 'other';
    // After the answer, which would wait for it.
    setImmediate(() => {
      count(c.var.route, method, status, ms / 1000);
      const fault = c.var.fault;
      log[fault === undefined ? 'info' : toProblem(fault, '').code === 'internal' ? 'error' : 'warn'](
        {
          requestId,
          method,
          path: c.req.path.slice(0, 256),
          route: c.var.route,
          status,
          ms: Math.round(ms * 100) / 100,
          ...(c.var.identity && { tenant: c.var.identity.tenant, key: c.var.identity.keyId }),
          ...(fault && { fault: fault.message, stack: fault.stack }),
        },
        'request',
      );
    });
  });
}
