import { z } from 'zod';
import { terminalSide } from '../../../shared/contracts/attach.ts';
import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { badField, Problem } from '../../../shared/problems.ts';
import { noContent } from '../http/answers.ts';
import { eventPosition } from '../http/event-position.ts';
import { type App, mount } from '../http/mount.ts';
import { type AttachParts, attachClient, type Size } from './attach.ts';
import { attachDocument } from './documents.ts';
import { type LoadParts, ownRecord } from './load.ts';

export type AttachRouteParts = AttachParts & LoadParts;

const side = z
  .string()
  .regex(/^\d{1,9}$/, 'must be a whole number')
  .transform(Number)
  .pipe(terminalSide)
  .optional();

const attachQuery = z.strictObject({
  after: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'The id of the last event that was seen.', examples: ['1731000000000-0'] }),
  cols: side.openapi({
    type: 'integer',
    description:
      'How wide the client’s terminal is, with `rows`: told to the program before all else. Only with `tty`.',
    example: 120,
  }),
  rows: side.openapi({ type: 'integer', description: 'How high it is.', example: 40 }),
});

export function mountAttach(app: App, gateway: AttachRouteParts): void {
  mount(
    app,
    { maxBodyBytes: 0 },
    { method: 'get', path: '/v1/runs/{id}/attach', query: attachQuery, document: attachDocument },
    async (c, { query }) => {
      const position = eventPosition(query.after, 'after');
      const { head } = await ownRecord(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
      const size = sizeIn(query, head.request);
      const { upgrade } = c.env;
      if (upgrade === undefined)
        throw new Problem(
          'upgrade_required',
          'Ask for a WebSocket here (RFC 6455); GET /v1/runs/{id}/events streams the same over HTTP.',
        );
      upgrade.accept = (socket) => attachClient(gateway, head, position, size, socket);
      // No client sees this: the upgrade is the answer.
      return noContent();
    },
  );
}

/** Throws a Problem `validation_failed` if one of the two is missing, or the run has no terminal. */
function sizeIn(
  { cols, rows }: { cols?: number | undefined; rows?: number | undefined },
  { tty }: Pick<RunRequest, 'tty'>,
): Size | undefined {
  if (cols === undefined && rows === undefined) return undefined;
  if (cols === undefined) throw badField('cols', 'is needed beside rows');
  if (rows === undefined) throw badField('rows', 'is needed beside cols');
  if (!tty) throw badField('cols', 'needs a run with "tty": only a terminal has a size');
  return { cols, rows };
}
