import { Problem } from '../../../shared/problems.ts';
import { isDown } from '../../../shared/service-states.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { Gateway } from '../gateway.ts';
import { hintFrom } from '../hint.ts';
import { type PlaceParts, placeService } from './place.ts';
import { forgetService, type SettleParts } from './settle.ts';

export type ActionParts = Pick<Gateway, 'stopWaiting' | 'keys' | 'services' | 'wakeups' | 'workers'> &
  PlaceParts &
  SettleParts;

type WantedState = Parameters<Gateway['services']['want']>[1];

/** Sets the state that a service is to have, in its record, and tells its worker. Throws 404 if it is gone meanwhile. */
export async function setWanted(
  gateway: ActionParts,
  record: ServiceRecord,
  what: WantedState,
  usedAt?: number,
): Promise<void> {
  const { id } = record.head;
  const answer = await gateway.services.want(id, what, usedAt);
  if (answer === undefined) throw new Problem('not_found', `The service ${id} is being removed.`);
  if (!answer.changed) return;
  if (answer.worker !== undefined) {
    await gateway.workers.send(answer.worker, { kind: 'service', service: id });
    return;
  }
  // No worker has it yet: it is removed, or given to a worker, from here.
  const now = await gateway.services.read(id);
  if (now === undefined) return;
  if (what === 'removed') await forgetService(gateway, now);
  else if (what !== 'stopped') await placeService(gateway, now);
}

/** Hints may be missed, so the record is read at least this often. */
const pollMs = 500;

/** The record once `settled` holds of it, or as it is when the time is over or the client has gone. `undefined`: removed. */
export async function waitForService(
  gateway: ActionParts,
  id: string,
  settled: (record: ServiceRecord) => boolean,
  ms: number,
  gone: AbortSignal,
): Promise<ServiceRecord | undefined> {
  const until = performance.now() + ms;
  const stop = AbortSignal.any([gone, gateway.stopWaiting.signal]);
  const hint = hintFrom(gateway.wakeups, gateway.keys.serviceWake(id));
  stop.addEventListener('abort', hint.give);
  try {
    for (;;) {
      hint.forget();
      const record = await gateway.services.read(id);
      const left = until - performance.now();
      if (record === undefined || settled(record) || left <= 0 || stop.aborted) return record;
      await hint.wait(Math.min(left, pollMs));
    }
  } finally {
    stop.removeEventListener('abort', hint.give);
    hint.end();
  }
}

/** It is ready, or will not become ready by itself. */
export const hasSettled = ({ status }: ServiceRecord) =>
  status === 'ready' || status === 'crash_looping' || isDown(status);
