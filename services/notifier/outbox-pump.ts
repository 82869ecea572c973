import type { Log } from '../../shared/log.ts';
import type { DeliveryStore, Recipient } from '../../shared/stores/deliveries.ts';
import type { DueRun, OutboxStore } from '../../shared/stores/outbox.ts';
import type { PreviewOutput } from '../../shared/stores/run-preview.ts';
import type { WebhookStore } from '../../shared/stores/webhooks.ts';
import { receiverKey } from './deliver.ts';
import type { DeliveryQueue } from './delivery-queue.ts';
import { runFinished, webhookDisabled } from './payload.ts';
import type { Receivers } from './receivers.ts';

/** So many events are read at once, and worked on side by side. */
const pageSize = 64;
/** An event that could not be made deliveries is tried again after this. Meanwhile the others go on. */
const postponeMs = 60_000;
/** Hints over pub/sub may be missed, so the pump looks by itself so often. */
const pollMs = 1_000;

type Due = { id: string; key: string };

/** Makes deliveries of the events in the outbox, and a job for each delivery. */
export function createOutboxPump(options: {
  outbox: OutboxStore;
  deliveries: DeliveryStore;
  webhooks: WebhookStore;
  queue: DeliveryQueue;
  receivers: Receivers;
  preview: PreviewOutput;
  publicUrl: string;
  log: Log;
}) {
  const { outbox, deliveries, webhooks, queue, receivers, log } = options;
  let running = false;
  let woken = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();

  async function publish(
    event: Parameters<DeliveryStore['publish']>[0],
    recipients: Recipient[],
    how: { outboxMember: string; streamed: boolean },
  ): Promise<Due[]> {
    const ids = await deliveries.publish(event, recipients, how);
    return ids.map((id, index) => {
      const to = recipients[index] as Recipient;
      return { id, key: receiverKey(event.tenant, 'endpoint' in to ? to.endpoint : undefined, to.url) };
    });
  }

  /** The endpoints of the page under way: many events go to the same few. */
  let known = new Map<string, ReturnType<WebhookStore['find']>>();

  function find(id: string): ReturnType<WebhookStore['find']> {
    const found = known.get(id) ?? webhooks.find(id);
    known.set(id, found);
    return found;
  }

  async function endpoints(ids: string[]): Promise<Recipient[]> {
    const found = await Promise.all(ids.map(find));
    // One that was deleted since gets nothing; one that was disabled since gets a delivery that says so.
    return found.flatMap((one) => (one === undefined ? [] : [{ endpoint: one.id, url: one.url }]));
  }

  function ownOf({ own, ownLost }: Pick<DueRun, 'own' | 'ownLost'>, member: string): Recipient[] {
    if (ownLost)
      log.error(
        { member },
        'the webhook that it named cannot be opened and is left out: was RUNLET_SECRET_KEY changed?',
      );
    return own === undefined ? [] : [own];
  }

  async function runEvent(runId: string): Promise<Due[]> {
    const due = await outbox.due(runId);
    if (due === undefined) {
      await outbox.discard(runId);
      return [];
    }
    const { record, streamed } = due;
    const output = await options.preview(runId, record.attempt);
    const body = runFinished(record, output, options.publicUrl);
    const recipients = [...(await endpoints(due.endpoints)), ...ownOf(due, runId)];
    const { tenant } = record.head;
    return publish({ tenant, type: 'run.finished', runId, body }, recipients, {
      outboxMember: runId,
      streamed,
    });
  }

  async function webhookEvent(id: string): Promise<Due[]> {
    const webhook = await webhooks.find(id);
    if (webhook === undefined || webhook.enabled) {
      await outbox.discard(id);
      return [];
    }
    const { tenant } = webhook;
    const recipients = await endpoints(await webhooks.subscribers(tenant, 'webhook.disabled'));
    const event = {
      tenant,
      type: 'webhook.disabled',
      runId: undefined,
      body: webhookDisabled(webhook),
    } as const;
    const streamed = await outbox.watched(tenant);
    return publish(event, recipients, { outboxMember: id, streamed });
  }

  async function serviceEvent(member: string): Promise<Due[]> {
    const due = await outbox.dueOfService(member);
    if (due === undefined) {
      await outbox.discard(member);
      return [];
    }
    const { tenant, type, body, streamed } = due;
    const recipients = [...(await endpoints(due.endpoints)), ...ownOf(due, member)];
    return publish({ tenant, type, runId: undefined, body }, recipients, { outboxMember: member, streamed });
  }

  async function one(member: string): Promise<Due[]> {
    try {
      if (member.startsWith('run_')) return await runEvent(member);
      return await (member.startsWith('svc_') ? serviceEvent(member) : webhookEvent(member));
    } catch (error) {
      log.error({ member, err: error }, 'an event could not be made deliveries; tried again in a minute');
      // If Redis is away, the event keeps its place in the outbox.
      await outbox.postpone(member, postponeMs).catch(() => {});
      return [];
    }
  }

  async function pump(): Promise<void> {
    for (;;) {
      const members = await outbox.oldest(pageSize);
      if (members.length === 0 || stopped) return;
      known = new Map();
      const made = (await Promise.all(members.map(one))).flat();
      await queue.add(made.map(({ id, key }) => ({ id, delayMs: receivers.expectedWaitMs(key, id) })));
    }
  }

  function wake(): void {
    if (stopped) return;
    woken = true;
    if (running) return;
    running = true;
    turn = (async () => {
      while (woken && !stopped) {
        woken = false;
        await pump().catch((error: Error) =>
          log.warn({ reason: error.message }, 'the outbox waits for Redis'),
        );
      }
    })().finally(() => {
      running = false;
    });
  }

  return {
    wake,
    start(): void {
      timer = setInterval(wake, pollMs);
      wake();
    },
    async stop(): Promise<void> {
      stopped = true;
      clearInterval(timer);
      await turn;
    },
  };
}
