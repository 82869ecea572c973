import { z } from 'zod';
import { eventPatterns, patternsFor } from '../../../shared/contracts/webhook.ts';
import type { Gateway } from '../gateway.ts';
import { eventPosition } from '../http/event-position.ts';
import { type App, mount } from '../http/mount.ts';
import { oneOrMoreOf } from '../http/query.ts';
import { eventStream, sseComment, sseHeaders, sseMessage } from '../http/sse.ts';
import * as documents from './documents.ts';

export type EventParts = Pick<Gateway, 'closing' | 'deliveries' | 'env' | 'keys' | 'outbox' | 'wakeups'>;

/** Events are kept only while somebody watches, and for so long afterwards, to give time to reconnect. */
const watchMs = 120_000;
const renewMs = 30_000;
const pageEvents = 16;

export const eventsQuery = z.strictObject({
  events: oneOrMoreOf(
    eventPatterns,
    `One pattern or several with commas between: ${eventPatterns.join(', ')}. Default: all.`,
    'run.finished',
  ),
});

/** The tenant's events as they happen: what webhooks would bring, for those who have no address to be called at. */
export function mountEvents(app: App, gateway: EventParts): void {
  mount(
    app,
    { maxBodyBytes: gateway.env.RUNLET_MAX_BODY_BYTES },
    { method: 'get', path: '/v1/events', query: eventsQuery, document: documents.eventsDocument },
    async (c, { query }) => {
      const { tenant } = c.var.identity;
      const position = c.req.header('last-event-id');
      // From here on no event is missed. Earlier ones are in the stream only if somebody watched then.
      await gateway.outbox.watch(tenant, watchMs);
      const after =
        position === undefined
          ? ((await gateway.deliveries.lastStreamed(tenant)) ?? '0-0')
          : eventPosition(position);
      return new Response(tenantEvents(gateway, tenant, after, query.events), { headers: sseHeaders });
    },
  );
}

function tenantEvents(gateway: EventParts, tenant: string, start: string, patterns: string[] | undefined) {
  const wanted = patterns && new Set(patterns);
  let after = start;
  let renewAt = performance.now() + renewMs;
  // An id without an event: a client that loses the connection before the first event resumes from here.
  let opening = `id: ${start}\n\n`;
  return eventStream({
    closing: gateway.closing.signal,
    heartbeat: sseComment('heartbeat'),
    listen: (wake) => gateway.wakeups.listen(gateway.keys.eventsWake(tenant), wake),
    async read() {
      if (performance.now() >= renewAt) {
        await gateway.outbox.watch(tenant, watchMs);
        renewAt = performance.now() + renewMs;
      }
      const page = await gateway.deliveries.streamed(tenant, after, pageEvents);
      after = page.at(-1)?.id ?? after;
      const text = page
        .map(({ id, eventId, type, body }) => {
          const matches = wanted === undefined || patternsFor(type).some((one) => wanted.has(one));
          return matches ? sseMessage(type, `{"webhookId":"${eventId}","payload":${body}}`, id) : '';
        })
        .join('');
      const whole = opening + text;
      opening = '';
      return { text: whole, done: false, again: page.length === pageEvents };
    },
  });
}
