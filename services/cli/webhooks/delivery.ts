import type { Delivery, DeliveryAttempt } from '../../../shared/contracts/webhook.ts';
import type { Fact } from '../output/facts.ts';
import { formatAge, formatMs } from '../output/format.ts';
import { printable } from '../output/harmless.ts';

export const deliveryHead = ['DELIVERY', 'TYPE', 'TO', 'STATUS', 'TRIES', 'LAST', 'AGE'];

export function deliveryRow(delivery: Delivery, now: number): string[] {
  const { id, type, status, attempts, createdAt } = delivery;
  const last = attempts.at(-1);
  return [
    id,
    type,
    receiverOf(delivery),
    status,
    String(attempts.length),
    last === undefined ? '-' : answerOf(last),
    formatAge(createdAt, now),
  ];
}

export function deliveryFacts(delivery: Delivery): Fact[] {
  return [
    ['id', delivery.id],
    ['event', delivery.webhookId],
    ['type', delivery.type],
    ['run', delivery.run ?? undefined],
    ['to', receiverOf(delivery)],
    ['url', delivery.url],
    ['status', delivery.status],
    ['created', delivery.createdAt],
    ['finished', delivery.finishedAt ?? undefined],
    ['next try', delivery.nextAttemptAt ?? undefined],
  ];
}

/** The endpoint, or the run that has its own webhook. */
const receiverOf = ({ endpoint, run }: Delivery) => endpoint ?? `${run ?? 'a run'} (its own)`;

/** The status of the answer, or the reason why there was none. */
const answerOf = ({ statusCode, error }: DeliveryAttempt) => String(statusCode ?? error?.code ?? '-');

/** One try, with the receiver's answer if it did not accept the delivery. */
export function tryLines(number: number, attempt: DeliveryAttempt): string {
  const { at, durationMs, error, response } = attempt;
  const why = error === null ? '' : `  ${error.message}`;
  const line = `${number}. ${at}  ${answerOf(attempt)} in ${formatMs(durationMs)}${why}`;
  const said = error === null || !response ? '' : `\n   “${response.replace(/\s+/g, ' ').slice(0, 200)}”`;
  return printable(line + said);
}
