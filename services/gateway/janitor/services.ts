import { Problem } from '../../../shared/problems.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { Gateway } from '../gateway.ts';
import { isStoreError } from '../http/store-errors.ts';
import { readAll, type ServiceLoadParts } from '../services/load.ts';
import { type PlaceParts, placeService } from '../services/place.ts';
import { forgetService, type SettleParts, settleService } from '../services/settle.ts';
import { createDeathWatch, type DeathWatchParts } from './dead-workers.ts';
import { judgeService, type ServiceVerdict } from './service-verdict.ts';

export type ServicesSweepParts = Pick<Gateway, 'env' | 'log' | 'services'> &
  DeathWatchParts &
  ServiceLoadParts &
  PlaceParts &
  SettleParts;

const nodeLost = new Problem(
  'node_lost',
  'The node that has the service and its volumes is gone: start its worker again, and the service is adopted as it is. A service with volumes is never started elsewhere.',
);

/** Looks after services that no live worker holds. */
export function createServicesSweep(gateway: ServicesSweepParts) {
  const deathWatch = createDeathWatch(gateway);

  return async (now: number): Promise<void> => {
    const records = await readAll(gateway, await gateway.services.all());
    const dead = await deathWatch(new Set(records.flatMap(({ worker }) => worker ?? [])), now);
    for (const record of records) {
      const deadMs = record.worker === null ? undefined : dead.get(record.worker);
      const verdict = judgeService(record, deadMs, gateway.env.RUNLET_LOST_AFTER_MS);
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

async function carryOut(
  gateway: ServicesSweepParts,
  record: ServiceRecord,
  verdict: Exclude<ServiceVerdict, 'leave'>,
) {
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
