import type { OpenAPIHono } from '@hono/zod-openapi';
import { readJson } from '../../http/body.ts';
import type { GatewayEnv } from '../../http/context.ts';
import type { CompatParts } from '../protocol.ts';
import { runToEnd } from '../run-to-end.ts';
import { answerOf, sandboxError } from './answer.ts';
import { fetched } from './fetched.ts';
import { orderReader } from './request.ts';

/** `POST /run_code`: one program, compiled and run once, with its result in the answer. */
export function mountRunCode(app: OpenAPIHono<GatewayEnv>, gateway: CompatParts): void {
  const path = '/fusion/run_code';
  const read = orderReader(gateway.policy);

  app.post(path, async (c) => {
    c.set('route', path);
    const { tenant } = c.var.identity;
    const { value } = await readJson(c, gateway.env.RUNLET_MAX_BODY_BYTES, true);
    const order = read(value);
    if ('faults' in order) return c.json({ detail: order.faults }, 422);
    if ('unavailable' in order) return c.json(sandboxError(order.unavailable));
    const run = await runToEnd(gateway, tenant, order.request, c.req.raw.signal);
    const answer = answerOf(run);
    if (order.fetch.size === 0 || answer.status === 'SandboxError') return c.json(answer);
    const { files, message } = await fetched(gateway, tenant, run, order.fetch);
    return c.json({ ...answer, files, message: answer.message || message });
  });
}
