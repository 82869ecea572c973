import { z } from 'zod';
import { Problem } from '../../../shared/problems.ts';
import type { Gateway } from '../gateway.ts';
import { noContent } from '../http/answers.ts';
import { type App, mount } from '../http/mount.ts';
import { attachClient } from './attach.ts';
import { attachDocument } from './documents.ts';
import { eventPosition } from './event-id.ts';
import { ownRecord } from './load.ts';

const attachQuery = z.strictObject({
  after: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'The id of the last event that was seen.', examples: ['1731000000000-0'] }),
});

export function mountAttach(app: App, gateway: Gateway): void {
  mount(
    app,
    { maxBodyBytes: 0 },
    { method: 'get', path: '/v1/runs/{id}/attach', query: attachQuery, document: attachDocument },
    async (c, { query }) => {
      const position = eventPosition(query.after, 'after');
      const { head } = await ownRecord(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
      const { upgrade } = c.env;
      if (upgrade === undefined)
        throw new Problem(
          'upgrade_required',
          'Ask for a WebSocket here (RFC 6455); GET /v1/runs/{id}/events streams the same over HTTP.',
        );
      upgrade.accept = (socket) => attachClient(gateway, head, position, socket);
      // Nobody sees it: the upgrade is the answer.
      return noContent();
    },
  );
}
