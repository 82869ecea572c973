import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceRequest } from '../../../shared/contracts/service.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import { type ServiceStore, tellsUsesEveryMs } from '../../../shared/stores/services.ts';
import { Lost, type OwnRecord } from './own-record.ts';

/** Of the time between two reports of uses: a report that is lost, or late, by less than this stops no service too early. */
const idleSlack = 1.5;
/** A call that a gateway passed on before it heard that the service stops is in the store by then. */
const lateCallMs = 50;

type Idling = Pick<ServiceRequest, 'keepAlive' | 'onIdle'>;

/** What follows from the last use of a service that runs: `to` is what is wanted of it from now on if nobody used it since `usedBefore`. */
export function decideIdle(
  { keepAlive, onIdle }: Idling,
  lastUsedAt: number,
  now: number,
): { restMs: number } | { to: 'idle' | 'removed'; usedBefore: number } {
  if (keepAlive === 'forever') return { restMs: Number.POSITIVE_INFINITY };
  const runsMs = keepAlive + idleSlack * tellsUsesEveryMs(keepAlive);
  const left = lastUsedAt + runsMs - now;
  if (left > 0) return { restMs: left };
  return { to: onIdle === 'remove' ? 'removed' : 'idle', usedBefore: now - runsMs + 1 };
}

/** A call came as the service was sent to sleep: it is to wake again. */
export function isCalledMeanwhile(
  now: Pick<ServiceRecord, 'wanted' | 'lastUsedAt'>,
  before: Pick<ServiceRecord, 'lastUsedAt'>,
): boolean {
  return now.wanted === 'idle' && now.lastUsedAt > before.lastUsedAt;
}

/** Has a service that nobody uses stopped or removed. Answers after how many ms its idle clock is looked at again. */
export async function watchIdle(
  own: OwnRecord,
  request: Idling,
  store: Pick<ServiceStore, 'read' | 'want'>,
): Promise<number> {
  const record = own.now();
  const decision = decideIdle(request, record.lastUsedAt, Date.now());
  if ('restMs' in decision) return decision.restMs;
  const verdict = await own.want(decision.to, decision.usedBefore);
  if (verdict === 'lost') throw new Lost();
  if (verdict !== 'idle') return 1;
  await sleep(lateCallMs);
  const { id } = record.head;
  const now = await store.read(id);
  if (now !== undefined && isCalledMeanwhile(now, record)) await store.want(id, 'wake', now.lastUsedAt);
  return 1;
}
