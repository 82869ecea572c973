import { randomBytes } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import type { z } from 'zod';
import { deliveriesQuery, redeliverBody } from '../../../services/gateway/webhooks/deliveries.ts';
import {
  type Delivery,
  type DeliveryAttempt,
  delivery as deliverySchema,
  newWebhook,
  type Webhook,
  webhookPatch,
  webhook as webhookSchema,
} from '../../../shared/contracts/webhook.ts';
import { newId } from '../../../shared/ids.ts';
import { answer, problem, type StubContext } from './stub-answers.ts';

const at = '2026-11-03T10:00:00.000Z';
const later = '2026-11-04T10:00:00.000Z';

const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`;

export const delivered: DeliveryAttempt = {
  at,
  durationMs: 12,
  statusCode: 204,
  error: null,
  response: null,
};
export const refused: DeliveryAttempt = {
  at,
  durationMs: 3,
  statusCode: 500,
  error: { code: 'status', message: 'The receiver answered 500; only 2xx is delivered.' },
  response: 'out of\norder',
};

/** Endpoints and deliveries as the contract has them; nothing is delivered but what a test says was. */
export class StubWebhooks {
  readonly endpoints = new Map<string, Webhook>();
  readonly secrets = new Map<string, string>();
  /** The newest first. */
  deliveries: Delivery[] = [];
  /** What becomes of a test delivery, look by look: of the last there is no end. */
  outcomes: Partial<Delivery>[] = [];
  /** Answers to `POST /v1/deliveries/redeliver`, the last one again and again. */
  redelivered: { count: number; complete: boolean }[] = [{ count: 0, complete: true }];
  readonly #byKey = new Map<string, string>();

  addDelivery(more: Partial<Delivery> = {}): Delivery {
    const made = deliverySchema.parse({
      id: newId('del'),
      webhookId: newId('evt'),
      type: 'run.finished',
      endpoint: null,
      url: 'https://example.com/hook',
      run: newId('run'),
      status: 'pending',
      attempts: [],
      nextAttemptAt: at,
      createdAt: at,
      finishedAt: null,
      ...more,
    });
    this.deliveries.unshift(made);
    return made;
  }

  create(key: string, wanted: z.output<typeof newWebhook>): Webhook & { secret?: string } {
    const before = this.endpoints.get(this.#byKey.get(key) ?? '');
    // As the gateway: a replay has no secret.
    if (before !== undefined) return before;
    const made = webhookSchema.parse({
      id: newId('whk'),
      ...wanted,
      enabled: true,
      disabledReason: null,
      secretExpiresAt: null,
      createdAt: at,
      updatedAt: at,
    });
    const secret = newSecret();
    this.endpoints.set(made.id, made);
    this.secrets.set(made.id, secret);
    if (key !== '') this.#byKey.set(key, made.id);
    return { ...made, secret };
  }

  patch(before: Webhook, { url, events, enabled }: z.output<typeof webhookPatch>): Webhook {
    const now = webhookSchema.parse({
      ...before,
      url: url ?? before.url,
      events: events ?? before.events,
      enabled: enabled ?? before.enabled,
      disabledReason: enabled === false ? 'owner' : enabled ? null : before.disabledReason,
    });
    this.endpoints.set(now.id, now);
    return now;
  }

  rotate(before: Webhook): Webhook & { secret: string } {
    const now = { ...before, secretExpiresAt: later };
    const secret = newSecret();
    this.endpoints.set(now.id, now);
    this.secrets.set(now.id, secret);
    return { ...now, secret };
  }

  /** A delivery as it is at this look. */
  look(one: Delivery): Delivery {
    const next = one.type === 'webhook.test' ? this.outcomes.shift() : undefined;
    if (next !== undefined) Object.assign(one, deliverySchema.parse({ ...one, ...next }));
    return one;
  }
}

export function addWebhookRoutes(app: Hono<{ Bindings: HttpBindings }>, stub: StubWebhooks): void {
  addEndpointRoutes(app, stub);
  addDeliveryRoutes(app, stub);
}

function addEndpointRoutes(app: Hono<{ Bindings: HttpBindings }>, stub: StubWebhooks): void {
  app.post('/v1/webhooks', async (c) => {
    const wanted = newWebhook.safeParse(await c.req.json());
    if (!wanted.success) return notValid(wanted.error);
    return c.json(stub.create(c.req.header('idempotency-key') ?? '', wanted.data), 201);
  });
  app.get('/v1/webhooks', (c) => c.json({ data: [...stub.endpoints.values()], nextCursor: null }));
  const known = (c: StubContext, act: (one: Webhook) => Response | Promise<Response>) => {
    const one = stub.endpoints.get(c.req.param('id') ?? '');
    return one ? act(one) : notFound('There is no such webhook endpoint: see GET /v1/webhooks.');
  };
  app.patch('/v1/webhooks/:id', (c) =>
    known(c, async (one) => {
      const patch = webhookPatch.safeParse(await c.req.json());
      return patch.success ? c.json(stub.patch(one, patch.data)) : notValid(patch.error);
    }),
  );
  app.delete('/v1/webhooks/:id', (c) =>
    known(c, (one) => {
      stub.endpoints.delete(one.id);
      return c.body(null, 204);
    }),
  );
  app.post('/v1/webhooks/:id/rotate', (c) => known(c, (one) => c.json(stub.rotate(one))));
  app.post('/v1/webhooks/:id/test', (c) =>
    known(c, (one) => {
      if (!one.enabled)
        return answer(
          409,
          problem(409, 'conflict', 'Not possible now', 'The endpoint is disabled: enable it.'),
        );
      const { id, url } = one;
      return c.json(stub.addDelivery({ type: 'webhook.test', endpoint: id, url, run: null }), 202);
    }),
  );
}

function addDeliveryRoutes(app: Hono<{ Bindings: HttpBindings }>, stub: StubWebhooks): void {
  app.get('/v1/deliveries', (c) => {
    const query = deliveriesQuery.safeParse(c.req.query());
    if (!query.success) return notValid(query.error);
    const { limit, cursor, endpoint, run, status } = query.data;
    const from = Number(cursor ?? 0);
    const all = stub.deliveries.filter(
      (one) =>
        (endpoint === undefined || one.endpoint === endpoint) &&
        (run === undefined || one.run === run) &&
        (status === undefined || one.status === status),
    );
    const nextCursor = from + limit < all.length ? String(from + limit) : null;
    return c.json({ data: all.slice(from, from + limit), nextCursor });
  });
  app.post('/v1/deliveries/redeliver', async (c) => {
    const body = redeliverBody.safeParse(await c.req.json());
    if (!body.success) return notValid(body.error);
    const { redelivered } = stub;
    return c.json(redelivered.length > 1 ? redelivered.shift() : redelivered[0], 202);
  });
  const known = (c: StubContext, act: (one: Delivery) => Response) => {
    const one = stub.deliveries.find(({ id }) => id === c.req.param('id'));
    return one ? act(one) : notFound('There is no such delivery: see GET /v1/deliveries.');
  };
  app.get('/v1/deliveries/:id', (c) => known(c, (one) => c.json(stub.look(one))));
  app.post('/v1/deliveries/:id/redeliver', (c) =>
    known(c, (one) => {
      Object.assign(one, { status: 'pending', nextAttemptAt: at, finishedAt: null });
      return c.json(one, 202);
    }),
  );
}

const notFound = (detail: string) =>
  answer(404, problem(404, 'not_found', 'Nothing was found under this id', detail));

function notValid(error: z.ZodError): Response {
  const errors = error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  const body = problem(400, 'validation_failed', 'The request is not valid', 'Correct the fields named.');
  return answer(400, { ...body, errors });
}
