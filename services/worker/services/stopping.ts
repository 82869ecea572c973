import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceWanted } from '../../../shared/service-states.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { Alarm } from './alarm.ts';
import type { ServiceContainers } from './containers.ts';
import { decideWhileStopping, lookMs } from './decide.ts';

/** A service that goes to sleep is said to be asleep when it is down, or after this. */
const takesLongMs = 500;
/** A service that is wanted again while it is being stopped has so long to end by itself, and is killed then. */
const hurriedGraceMs = 2_000;

/**
 * Stops a container, and looks meanwhile whether its service is wanted again: then its grace is cut short. Answers whether something else
 * than `wanted` is wanted by then.
 */
export async function stopContainer(options: {
  container: string;
  wanted: ServiceWanted;
  workerId: string;
  containers: Pick<ServiceContainers, 'stop' | 'kill'>;
  alarm: Alarm;
  read: () => Promise<ServiceRecord | undefined>;
  reportDown: () => Promise<void>;
}): Promise<'as wanted' | 'changed'> {
  const { container, wanted, workerId, containers, alarm } = options;
  let over = false;
  const stopping = containers.stop(container).finally(() => {
    over = true;
    alarm.ring();
  });
  // It is awaited below: until then a rejection is no unhandled one.
  stopping.catch(() => {});
  const longAt = Date.now() + takesLongMs;
  for (;;) {
    const untilLong = longAt - Date.now();
    await alarm.rest(untilLong > 0 ? untilLong : lookMs);
    if (over) break;
    const record = await options.read();
    const next = decideWhileStopping(wanted, { record, workerId, takesLong: Date.now() >= longAt });
    if (next === 'wait') break;
    if (next === 'hurry') {
      await Promise.race([stopping, sleep(hurriedGraceMs)]);
      if (!over) await containers.kill(container);
      break;
    }
    if (next === 'report-down') await options.reportDown();
  }
  await stopping;
  return (await options.read())?.wanted === wanted ? 'as wanted' : 'changed';
}
