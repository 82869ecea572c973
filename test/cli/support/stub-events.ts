import type { HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import type { z } from 'zod';
import { eventsQuery } from '../../../services/gateway/webhooks/events.ts';
import { webhookEvent } from '../../../services/gateway/webhooks/payload.ts';
import { runRequestSchema } from '../../../shared/contracts/run-request.ts';
import { type EventType, patternsFor } from '../../../shared/contracts/webhook.ts';
import { newId } from '../../../shared/ids.ts';
import type { RunStatus } from '../../../shared/run-states.ts';
import { answer, problem } from './stub-answers.ts';
import { exit, newRun, policy } from './stub-runs.ts';

type WebhookEvent = z.infer<typeof webhookEvent>;
type Watcher = { wake: () => void; breakOff: () => void };

/** `GET /v1/events`: what happens is the test's to say. */
export class StubEvents {
  readonly #events: WebhookEvent[] = [];
  readonly watchers = new Set<Watcher>();

  /** Something happens, and all who watch hear of it. */
  push(event: WebhookEvent): void {
    this.#events.push(webhookEvent.parse(event));
    for (const { wake } of this.watchers) wake();
  }

  /** All connections break, in the middle of an event. */
  breakOff(): void {
    for (const watcher of this.watchers) watcher.breakOff();
    this.watchers.clear();
  }

  /** What is there for `Last-Event-ID`, and then what comes; without one, what comes. */
  stream(last: string | undefined, patterns: string[] | undefined, hangUp: () => void) {
    const encoder = new TextEncoder();
    let watcher: Watcher;
    let next = last === undefined ? this.#events.length : this.#after(last);
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        const send = (text: string) => controller.enqueue(encoder.encode(text));
        const wake = () => {
          for (; next < this.#events.length; next += 1) {
            const event = this.#events[next] as WebhookEvent;
            const { type } = event.payload;
            if (isWanted(type, patterns))
              send(`id: ${idOf(next)}\nevent: ${type}\ndata: ${JSON.stringify(event)}\n\n`);
          }
        };
        const breakOff = () => {
          send('event: run.finished\ndata: {"webhookId":"half');
          setTimeout(hangUp, 20);
        };
        watcher = { wake, breakOff };
        this.watchers.add(watcher);
        // Where it begins, as the gateway says it: an id without an event.
        send(`id: ${next === 0 ? '0-0' : idOf(next - 1)}\n\n`);
        wake();
      },
      cancel: () => {
        this.watchers.delete(watcher);
      },
    });
  }

  /** An id that is none of ours is a time before all of them. */
  #after(last: string): number {
    const known = this.#events.findIndex((_, index) => idOf(index) === last);
    return known < 0 ? 0 : known + 1;
  }
}

/** The event of a run that ended. */
export function runFinished(state: RunStatus): WebhookEvent {
  const { record } = newRun(runRequestSchema(policy).parse({ image: 'busybox' }), { events: [exit(state)] });
  const timestamp = record.finishedAt ?? '';
  const data = { ...record, url: `https://runlet.example/v1/runs/${record.id}`, cutFields: [] };
  return {
    type: 'run.finished',
    webhookId: newId('evt'),
    payload: { type: 'run.finished', timestamp, data },
  };
}

const idOf = (index: number) => `1790000000000-${index}`;

const isWanted = (type: EventType, patterns: string[] | undefined) =>
  patterns === undefined || patternsFor(type).some((one) => patterns.includes(one));

export function addEventRoutes(app: Hono<{ Bindings: HttpBindings }>, stub: StubEvents): void {
  app.get('/v1/events', (c) => {
    const query = eventsQuery.safeParse(c.req.query());
    if (!query.success) {
      const [issue] = query.error.issues;
      const errors = [{ path: 'events', message: issue?.message ?? '' }];
      const bad = problem(400, 'validation_failed', 'The request is not valid', 'Correct the fields named.');
      return answer(400, { ...bad, errors });
    }
    const hangUp = () => c.env.incoming.socket.destroy();
    const body = stub.stream(c.req.header('last-event-id'), query.data.events, hangUp);
    return c.body(body, 200, { 'content-type': 'text/event-stream' });
  });
}
