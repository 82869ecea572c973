import type { AttemptFault, DeliveryAttempt } from '../../shared/contracts/webhook.ts';
import type { Log } from '../../shared/log.ts';
import { isStoreError } from '../../shared/store-errors.ts';
import type { DeliveryStore, StoredDelivery } from '../../shared/stores/deliveries.ts';
import type { StoredWebhook, WebhookStore } from '../../shared/stores/webhooks.ts';
import { signedHeaders } from '../../shared/webhooks/signature.ts';
import type { Poster } from './http/post.ts';
import { TryFailed } from './http/try-failed.ts';
import type { Receivers } from './receivers.ts';
import { retryAfterMs, waitAfter } from './schedule.ts';

export type Deliver = ReturnType<typeof createDeliver>;

type Tried = {
  attempt: DeliveryAttempt;
  /** The receiver did not answer, or its answer says that it is not well (5xx, 429). */
  unwell: boolean;
  /** Why it is not tried again. `gone`: the receiver says that it is no more. `lost`: there is nothing to send, which is not the receiver's fault. */
  never?: 'gone' | 'lost';
  /** A fault of ours, not the receiver's. */
  ours?: true;
  retryAfterMs?: number | undefined;
};

/**
 * One try of a delivery:
 *
 *   no longer pending                          nothing to do
 *   not due yet, or its receiver is busy       later
 *   its endpoint is gone or disabled           failed, without a try
 *   2xx                                        delivered
 *   410                                        failed, and the endpoint is disabled
 *   nothing to send any more                   failed
 *   a fault of ours                            later, by the schedule; after the last try failed
 *   anything else                              later, by the schedule; after the last try failed, and the endpoint is disabled
 */
export function createDeliver(options: {
  deliveries: DeliveryStore;
  webhooks: WebhookStore;
  receivers: Receivers;
  poster: Poster;
  schedule: number[];
  userAgent: string;
  log: Log;
}) {
  const { deliveries, webhooks, receivers, poster, schedule, log } = options;

  async function secretsOf({ id, endpoint }: StoredDelivery): Promise<string[]> {
    if (endpoint !== undefined) return webhooks.secrets(endpoint);
    const own = await deliveries.ownSecret(id);
    return own === undefined ? [] : [own];
  }

  async function tryOnce(delivery: StoredDelivery, url: string): Promise<Tried> {
    const at = new Date();
    const began = performance.now();
    const tried = (attempt: Pick<DeliveryAttempt, 'statusCode' | 'error' | 'response'>) => ({
      at: at.toISOString(),
      durationMs: Math.round((performance.now() - began) * 10) / 10,
      ...attempt,
    });
    let body: string | undefined;
    let secrets: string[];
    try {
      [body, secrets] = await Promise.all([deliveries.body(delivery), secretsOf(delivery)]);
    } catch (cause) {
      if (isStoreError(cause)) throw cause;
      // A wrong RUNLET_SECRET_KEY can be corrected, so it is tried again by the schedule, and fails after the last try.
      log.error({ delivery: delivery.id, err: cause }, 'a delivery cannot be made');
      const error = fault('internal', 'It could not be signed, for a reason on our side: tell the operator.');
      return { attempt: tried({ statusCode: null, error, response: null }), unwell: false, ours: true };
    }
    if (body === undefined || secrets.length === 0) {
      const error = fault('endpoint_deleted', 'What was to be sent, or its secret, is gone.');
      return { attempt: tried({ statusCode: null, error, response: null }), unwell: false, never: 'lost' };
    }
    const headers = {
      'content-type': 'application/json',
      'user-agent': options.userAgent,
      ...signedHeaders({ id: delivery.event, at, body }, secrets),
    };
    try {
      const { statusCode, retryAfter, response } = await poster.post(url, headers, body);
      return {
        attempt: tried({ statusCode, error: statusFault(statusCode), response }),
        unwell: statusCode >= 500 || statusCode === 429,
        ...(statusCode === 410 && { never: 'gone' as const }),
        retryAfterMs: retryAfterMs(retryAfter, Date.now()),
      };
    } catch (error) {
      if (!(error instanceof TryFailed)) throw error;
      return {
        attempt: tried({ statusCode: null, error: fault(error.code, error.message), response: null }),
        unwell: error.code !== 'blocked_address',
      };
    }
  }

  /** Writes down the outcome of a try. Answers when the next try is due, in ms since the epoch. */
  async function conclude(
    delivery: StoredDelivery,
    webhook: StoredWebhook | undefined,
    { attempt, never, ours, retryAfterMs: asked }: Tried,
  ): Promise<number | undefined> {
    if (attempt.error === null) {
      await deliveries.settle(delivery, { outcome: 'delivered', attempt });
      return undefined;
    }
    const wait = never !== undefined ? undefined : waitAfter(schedule, delivery.tries + 1, asked);
    if (wait !== undefined) {
      const nextAt = Date.now() + wait;
      const status = await deliveries.settle(delivery, { outcome: 'retry', attempt, nextAt });
      return status === 'pending' ? nextAt : undefined;
    }
    // First: if this process dies in between, the delivery is still pending, and the next try finds the endpoint disabled.
    if (webhook !== undefined && never !== 'lost' && !ours) {
      const reason = never === 'gone' ? 'gone' : 'failing';
      const since = never === 'gone' ? undefined : Date.parse(delivery.createdAt);
      if (await webhooks.disable(webhook, reason, since))
        log.info({ webhook: webhook.id, reason }, 'endpoint disabled');
    }
    await deliveries.settle(delivery, { outcome: 'failed', attempt });
    return undefined;
  }

  /** @returns when to come again, in ms since the epoch; `undefined` when the delivery has ended */
  return async (id: string): Promise<number | undefined> => {
    const delivery = await deliveries.read(id);
    if (delivery === undefined || delivery.status !== 'pending') return undefined;
    if ((delivery.nextAt ?? 0) > Date.now() + earlyMs) return delivery.nextAt;
    const webhook = delivery.endpoint === undefined ? undefined : await webhooks.find(delivery.endpoint);
    const refusal = refusalOf(delivery, webhook);
    if (refusal !== undefined) {
      const attempt = {
        at: new Date().toISOString(),
        durationMs: 0,
        statusCode: null,
        error: refusal,
        response: null,
      };
      await deliveries.settle(delivery, { outcome: 'failed', attempt });
      return undefined;
    }
    const url = webhook?.url ?? delivery.url;
    const key = receiverKey(delivery.tenant, delivery.endpoint, url);
    const turn = await receivers.turn(key, id, () => tryOnce(delivery, url));
    if ('deferredMs' in turn) return Date.now() + turn.deferredMs;
    return conclude(delivery, webhook, turn.done);
  };
}

/** A timer may fire so much too soon. */
const earlyMs = 20;

/**
 * Which tries count for one receiver: those of one endpoint; or, of addresses that runs named themselves, those of one tenant to one
 * server. So a tenant that calls wrong paths of a server that many use slows down no other tenant.
 */
export const receiverKey = (tenant: string, endpoint: string | undefined, url: string) =>
  endpoint ?? `${tenant} ${URL.canParse(url) ? new URL(url).origin : url}`;

function refusalOf(
  delivery: StoredDelivery,
  webhook: StoredWebhook | undefined,
): DeliveryAttempt['error'] | undefined {
  if (delivery.endpoint === undefined) return undefined;
  if (webhook === undefined) return fault('endpoint_deleted', 'The endpoint was deleted.');
  if (!webhook.enabled)
    return fault('endpoint_disabled', 'The endpoint is disabled: enable it, then redeliver.');
  return undefined;
}

function statusFault(status: number): DeliveryAttempt['error'] {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400)
    return fault(
      'redirect',
      `The receiver answered ${status}: redirects are not followed; register the final URL.`,
    );
  return fault('status', `The receiver answered ${status}; only 2xx is delivered.`);
}

const fault = (code: AttemptFault, message: string) => ({ code, message });
