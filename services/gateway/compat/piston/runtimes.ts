import type { OpenAPIHono } from '@hono/zod-openapi';
import { listLanguages } from '../../../../shared/languages/index.ts';
import type { GatewayEnv } from '../../http/context.ts';

/** `GET /runtimes`: the languages, as Piston lists them. */
export function mountRuntimes(app: OpenAPIHono<GatewayEnv>): void {
  const path = '/piston/api/v2/runtimes';
  app.get(path, (c) => {
    c.set('route', path);
    return c.json(
      listLanguages().map(({ name, version, aliases }) => ({ language: name, version, aliases })),
    );
  });
}
