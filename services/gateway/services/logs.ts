import { z } from 'zod';
import { newId } from '../../../shared/ids.ts';
import { Problem } from '../../../shared/problems.ts';
import type { Gateway } from '../gateway.ts';
import { type App, mount } from '../http/mount.ts';
import { eventStream, sseComment, sseHeaders, sseMessage } from '../http/sse.ts';
import * as documents from './documents.ts';
import { ownService, type ServiceLoadParts } from './load.ts';

export type LogParts = Pick<Gateway, 'closing' | 'keys' | 'operations' | 'wakeups' | 'workers'> &
  ServiceLoadParts;

const logsQuery = z.strictObject({
  follow: z.enum(['true', 'false']).default('false'),
  tail: z
    .string()
    .regex(/^\d{1,5}$/, 'must be a whole number from 0 to 10000')
    .transform(Number)
    .pipe(z.int().max(10_000))
    .default(1_000)
    .openapi({
      type: 'integer',
      minimum: 0,
      maximum: 10_000,
      default: 1_000,
      description: 'So many of the last lines.',
    }),
});

/** The worker goes on writing to the stream only while somebody says that they read it. */
const renewMs = 5_000;

export function mountLogs(app: App, gateway: LogParts): void {
  mount(
    app,
    { maxBodyBytes: 0 },
    { method: 'get', path: '/v1/services/{id}/logs', query: logsQuery, document: documents.logsDocument },
    async (c, { query }) => {
      const record = await ownService(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
      if (record.worker === null || !(await gateway.workers.alive(record.worker)))
        throw new Problem('conflict', 'No worker holds the service at present: try again in a moment.');
      const { worker } = record;
      const operation = newId('pul');
      await gateway.operations.readBy(operation, renewMs * 3);
      await gateway.workers.send(worker, {
        kind: 'service-logs',
        operation,
        service: record.head.id,
        tail: query.tail,
        follow: query.follow === 'true',
      });
      return new Response(logStream(gateway, worker, operation), { headers: sseHeaders });
    },
  );
}

function logStream(gateway: LogParts, worker: string, operation: string): ReadableStream<Uint8Array> {
  let after = '0';
  let renewAt = performance.now() + renewMs;
  return eventStream({
    closing: gateway.closing.signal,
    heartbeat: sseComment('heartbeat'),
    listen: (wake) => gateway.wakeups.listen(gateway.keys.wake(operation), wake),
    async read() {
      if (performance.now() >= renewAt) {
        renewAt = performance.now() + renewMs;
        await gateway.operations.readBy(operation, renewMs * 3);
        if (!(await gateway.workers.alive(worker))) return { text: sseMessage('end', '{}'), done: true };
      }
      const page = await gateway.operations.read(operation, after);
      after = page.at(-1)?.id ?? after;
      let text = '';
      for (const { event } of page) {
        if (event.kind === 'log')
          text += sseMessage(
            event.stream,
            JSON.stringify({ data: event.data, encoding: event.encoding, at: event.at }),
          );
        if (event.kind === 'done')
          return { text: `${text}${sseMessage('end', JSON.stringify({ error: event.error }))}`, done: true };
      }
      return { text, done: false, again: page.length > 0 };
    },
  });
}
