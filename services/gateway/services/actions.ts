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

type Wish = Parameters<Gateway['services']['want']>[1];

/** Says what is wanted of a service, to its record and to its worker. Throws 404 when it is gone meanwhile. */
export async function wish(
  gateway: ActionParts,
  record: ServiceRecord,
  what: Wish,
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
  // Nobody has it yet: what is to go goes at once, what is to run is placed.
  const now = await gateway.services.read(id);
  if (now === undefined) return;
  if (what === 'removed') await forgetService(gateway, now);
  else if (what !== 'stopped') await placeService(gateway, now);
}

/** How long a wait looks by itself: hints may be missed. */
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

/** It has come up, or will not by itself. */
export const hasSettled = ({ status }: ServiceRecord) =>
  status === 'ready' || status === 'crash_looping' || isDown(status);
