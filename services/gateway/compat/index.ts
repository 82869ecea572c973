import { createMiddleware } from 'hono/factory';
import type { GatewayContext, GatewayEnv } from '../http/context.ts';
import { toProblem } from '../http/errors.ts';
import type { App } from '../http/mount.ts';
import { fusion } from './fusion/index.ts';
import { judge0 } from './judge0/index.ts';
import { piston } from './piston/index.ts';
import type { CompatParts, Protocol } from './protocol.ts';

const protocols: readonly Protocol[] = [piston, fusion, judge0];

const enabled = (gateway: CompatParts) =>
  protocols.filter(({ name }) => gateway.env.RUNLET_COMPAT.includes(name));

/** Finds the protocol of a request, and the key in a field of the protocol's own. To be used before `authenticate`. */
export function recognizeProtocol(gateway: CompatParts) {
  const byName = new Map(enabled(gateway).map((one) => [one.name, one]));
  return createMiddleware<GatewayEnv>(async (c, next) => {
    const protocol = byName.get(c.req.path.split('/', 2)[1] ?? '');
    if (protocol !== undefined) {
      c.set('answerProblem', protocol.answerProblem);
      const key = protocol.keyIn?.(c);
      if (key !== undefined) c.set('credentials', `Bearer ${key}`);
    }
    await next();
  });
}

/** The answer to an error in a protocol's own form; undefined: the request is for our own API. */
export function answerAsProtocol(error: unknown, c: GatewayContext): Response | undefined {
  if (c.var.answerProblem === undefined) return undefined;
  const problem = toProblem(error, c.var.requestId);
  if (problem.status >= 500 && error instanceof Error) c.set('fault', error);
  return c.var.answerProblem(problem, c);
}

export function mountCompat(app: App, gateway: CompatParts): void {
  for (const protocol of enabled(gateway)) protocol.mount(app, gateway);
}
