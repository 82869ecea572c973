import { randomBytes } from 'node:crypto';
import { createMiddleware } from 'hono/factory';
import { anyId } from '../../../shared/ids.ts';
import type { Log } from '../../../shared/log.ts';
import { holdsSecret } from '../../../shared/masking.ts';
import type { GatewayEnv } from './context.ts';
import { toProblem } from './errors.ts';

export type RequestObserver = (route: string, method: string, status: number, seconds: number) => void;

const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);

/** Whether the client's own id is used. Not if it looks like a key: people paste into the wrong field, and this id is logged. */
function isRequestId(given: string | undefined, authorization: string | undefined): given is string {
  if (given === undefined || !/^[\w.-]{1,64}$/.test(given)) return false;
  return !holdsSecret(given) && authorization?.includes(given) !== true;
}

/**
 * The ids in a path, for the log. The rest of a path is never logged: a client may write anything there, such as a key in the place of an
 * id.
 */
function idsIn(path: string, route: string): { ids?: string[] } {
  if (!route.includes('{')) return {};
  const ids = path.split('/').filter(anyId);
  return ids.length === 0 ? {} : { ids };
}

/** Request id, security headers, one line in the access log, one count in the metrics. No body, no query, no key. */
export function observe(log: Log, count: RequestObserver) {
  return createMiddleware<GatewayEnv>(async (c, next) => {
    const began = performance.now();
    const given = c.req.header('x-request-id');
    const requestId = isRequestId(given, c.req.header('authorization'))
      ? given
      : randomBytes(8).toString('hex');
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
    // Later, so that the answer does not wait for it.
    setImmediate(() => {
      count(c.var.route, method, status, ms / 1000);
      const fault = c.var.fault;
      log[fault === undefined ? 'info' : toProblem(fault, '').code === 'internal' ? 'error' : 'warn'](
        {
          requestId,
          method,
          route: c.var.route,
          ...idsIn(c.req.path, c.var.route),
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
