import { isDeepStrictEqual } from 'node:util';
import type { Service } from '../../../shared/contracts/service.ts';
import type { ServiceStatus, ServiceWanted } from '../../../shared/service-states.ts';
import { serviceEvent } from '../../../shared/stores/service-event.ts';
import {
  emptyServiceState,
  type ServiceRecord,
  type ServiceState,
} from '../../../shared/stores/service-record.ts';
import type { ServiceHolder, ServiceStore } from '../../../shared/stores/services.ts';

/** Thrown where a write is refused: the service is another worker's, or gone. */
export class Lost extends Error {}

export type OwnRecord = ReturnType<typeof createOwnRecord>;

/** A service's record as long as it is this worker's: what it was at the last look, and the writes, which are fenced. */
export function createOwnRecord(options: {
  record: ServiceRecord;
  workerId: string;
  store: ServiceStore;
  present: (record: ServiceRecord) => Promise<Service>;
}) {
  const { store, workerId } = options;
  const { id, tenant } = options.record.head;
  let record = options.record;
  let state: ServiceState = { ...emptyServiceState, ...record.state };
  const holder = (): ServiceHolder => ({ id, tenant, worker: workerId, generation: record.generation });

  return {
    now: () => record,
    state: () => state,

    /** Reads it. What is another worker's is answered, and not taken over. */
    async look(): Promise<ServiceRecord | undefined> {
      const found = await store.read(id);
      // The state is this worker's to write: what it wrote last is what holds.
      if (found?.worker === workerId) record = { ...found, state };
      return found;
    },

    /** @param whileWanted nothing is written once something else is wanted */
    async report(
      status: ServiceStatus,
      changes: Partial<ServiceState>,
      whileWanted?: ServiceWanted,
    ): Promise<void> {
      const next = { ...state, ...changes };
      if (record.status === status && isDeepStrictEqual(next, state)) return;
      const changed = { ...record, status, state: next };
      const event =
        status === record.status ? undefined : serviceEvent(status, await options.present(changed));
      const answer = await store.report(holder(), status, next, {
        ...(event && { event }),
        ...(whileWanted && { whileWanted }),
      });
      if (answer === 'lost') throw new Lost();
      if (answer === 'unwanted') return;
      state = next;
      record = changed;
    },

    /** Where it was not used since, and is wanted to run: from now on it is wanted to be this. */
    want: (to: 'idle' | 'stopped' | 'removed', usedBefore: number) => store.goIdle(holder(), usedBefore, to),

    /** Takes the record away. */
    gone: () => store.gone(record, workerId),
  };
}
