import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceRequest } from '../../../shared/contracts/service.ts';
import { type ServiceStore, tellsUsesEveryMs } from '../../../shared/stores/services.ts';
import { Lost, type OwnRecord } from './own-record.ts';

/** Of the time between two reports of uses: a report that is lost, or late, by less than this stops no service too early. */
const idleSlack = 1.5;
/** A call that a gateway passed on before it heard that the service stops is in the store by then. */
const lateCallMs = 50;

/** How long a service runs after its last use. */
export const livesMs = (keepAlive: number) => keepAlive + idleSlack * tellsUsesEveryMs(keepAlive);

/**
 * Has a service that nobody uses stopped or removed (`onIdle`). Answers after how many ms its idle clock may be over; `undefined`: it never
 * is.
 */
export async function watchIdle(
  own: OwnRecord,
  { keepAlive, onIdle }: Pick<ServiceRequest, 'keepAlive' | 'onIdle'>,
  store: Pick<ServiceStore, 'read' | 'want'>,
): Promise<number | undefined> {
  if (keepAlive === 'forever') return undefined;
  const record = own.now();
  const lives = livesMs(keepAlive);
  const left = record.lastUsedAt + lives - Date.now();
  if (left > 0) return left;
  const verdict = await own.want(onIdle === 'remove' ? 'removed' : 'idle', Date.now() - lives + 1);
  if (verdict === 'lost') throw new Lost();
  if (verdict !== 'idle') return 1;
  await sleep(lateCallMs);
  const { id } = record.head;
  const now = await store.read(id);
  if (now?.wanted === 'idle' && now.lastUsedAt > record.lastUsedAt)
    await store.want(id, 'wake', now.lastUsedAt);
  return 1;
}
