import { Problem } from '../../../shared/problems.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { Gateway } from '../gateway.ts';
import { isStoreError } from '../http/store-errors.ts';
import { readAll } from '../services/load.ts';
import { placeService } from '../services/place.ts';
import { forgetService, settleService } from '../services/settle.ts';
import { createDeathWatch } from './dead-workers.ts';

/** A worker that is started anew on the same engine adopts its services sooner than this. */
const lostAfterMs = 30_000;
/** Somebody waits for it. */
const neededAfterMs = 10_000;

export type ServiceVerdict = 'leave' | 'place' | 'node_lost' | 'forget';

/**
 * What to do with a service that no live worker holds.
 *
 *   to be removed                                  forget it: what is left on its engine goes when that is back (reaper)
 *   to run, held by nobody                         place it
 *   to run, its worker dead, without volumes       place it on another engine; the old copy is fenced, and destroyed when it is back
 *   to run, its worker dead, with volumes          say that its node is gone
 */
export function judgeService(record: ServiceRecord, deadMs: number | undefined): ServiceVerdict {
  const { wanted, worker, status, head } = record;
  if (worker !== null && deadMs === undefined) return 'leave';
  const patience = status === 'starting' ? neededAfterMs : lostAfterMs;
  const lost = worker === null || (deadMs ?? 0) > patience;
  if (!lost) return 'leave';
  if (wanted === 'removed') return 'forget';
  if (wanted !== 'running' || status === 'failed') return 'leave';
  if (worker !== null && head.request.volumes.length > 0) return 'node_lost';
  return 'place';
}

const nodeLost = new Problem(
  'node_lost',
  'The node that has the service and its volumes is gone: start its worker again, and the service is adopted as it is. A service with volumes is never started elsewhere.',
);

/** Looks after services that no live worker holds. */
export function createServicesSweep(gateway: Gateway) {
  const deathWatch = createDeathWatch(gateway);

  return async (now: number): Promise<void> => {
    const records = await readAll(gateway, await gateway.services.all());
    const dead = await deathWatch(new Set(records.flatMap(({ worker }) => worker ?? [])), now);
    for (const record of records) {
      const verdict = judgeService(record, record.worker === null ? undefined : dead.get(record.worker));
      if (verdict === 'leave') continue;
      gateway.log.info({ service: record.head.id, verdict, worker: record.worker }, 'janitor');
      try {
        await carryOut(gateway, record, verdict);
      } catch (error) {
        if (isStoreError(error)) throw error;
        gateway.log.error({ service: record.head.id, err: error }, 'janitor cannot look after a service');
      }
    }
  };
}

async function carryOut(gateway: Gateway, record: ServiceRecord, verdict: Exclude<ServiceVerdict, 'leave'>) {
  switch (verdict) {
    case 'place':
      await placeService(gateway, record);
      return;
    case 'forget':
      await forgetService(gateway, record);
      return;
    case 'node_lost':
      await settleService(gateway, record, 'failed', { error: nodeLost.toBody() });
      return;
    default:
      return verdict satisfies never;
  }
}
