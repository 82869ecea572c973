import type { ServiceStatus } from '../../../shared/service-states.ts';
import { serviceEvent } from '../../../shared/stores/service-event.ts';
import { presentService } from '../../../shared/stores/service-present.ts';
import type { ServiceRecord, ServiceState } from '../../../shared/stores/service-record.ts';
import type { Gateway } from '../gateway.ts';

export type SettleParts = Pick<Gateway, 'env' | 'services'>;

/** Says of a service that no live worker holds what has become of it, with the event that is due. */
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

/** Takes its record away; what is left of it on its engine goes when that is back. */
export async function forgetService(gateway: SettleParts, record: ServiceRecord): Promise<void> {
  await settleService(gateway, record, 'removed', {});
  await gateway.services.gone(record, undefined);
}
