import type { App } from '../../http/mount.ts';
import { refuseRegistry } from '../../refuse-registry.ts';
import type { CompatParts } from '../protocol.ts';
import { runToEnd } from '../run-to-end.ts';
import { readFields } from './body.ts';
import { jobParser } from './request.ts';
import { stagesOf } from './stages.ts';

/** `POST /execute`: a run, and its end in the answer, however long it waits for its turn. A client that hangs up cancels it. */
export function mountExecute(app: App, gateway: CompatParts): void {
  const path = '/piston/api/v2/execute';
  const parse = jobParser(gateway);
  app.post(path, async (c) => {
    c.set('route', path);
    const { runtime, request } = parse(await readFields(c, gateway.env.RUNLET_MAX_BODY_BYTES));
    await refuseRegistry(gateway, request);
    const run = await runToEnd(gateway, c.var.identity.tenant, request, c.req.raw.signal);
    return c.json({ language: runtime.language, version: runtime.version, ...stagesOf(run) });
  });
}
