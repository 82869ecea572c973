import type { ServiceStatus } from '../../../shared/service-states.ts';
import { serviceEvent } from '../../../shared/stores/service-event.ts';
import { presentService } from '../../../shared/stores/service-present.ts';
import type { ServiceRecord, ServiceState } from '../../../shared/stores/service-record.ts';
import type { Gateway } from '../gateway.ts';

export type SettleParts = Pick<Gateway, 'env' | 'services'>;

/** Stores the new status of a service that no living worker has, with the event that is due. */
export async function settleService(
  gateway: SettleParts,
  record: ServiceRecord,
  status: ServiceStatus,
  more: Partial<ServiceState>,
): Promise<void> {
  const { head, worker, generation } = record;
  const state = { ...record.state, ...more, place: null };
  const whole = await gateway.services.whole({ ...record, status, state });
  const event = serviceEvent(status, presentService(whole, gateway.env));
  await gateway.services.report(
    { id: head.id, tenant: head.tenant, worker: worker ?? '', generation },
    status,
    state,
    event && { event },
  );
}

/** Removes its record. What is left on its engine is removed when that engine is back. */
export async function forgetService(gateway: SettleParts, record: ServiceRecord): Promise<void> {
  await settleService(gateway, record, 'removed', {});
  await gateway.services.gone(record, undefined);
}
