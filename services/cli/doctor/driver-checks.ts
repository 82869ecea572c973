import type { Worker } from '../../../shared/contracts/worker.ts';
import { type Check, ok, warning } from './check.ts';

/** Measured on two cores, bash in a full container, processor time of the runtime: crun 14 ms, runc 31 ms. */
const crunInstead =
  'crun (1.8 or later) would take half of runc’s processor time for each sandbox (measured: 14 ms, not 31); it is used once it is installed and the worker is started again';

/** What starts a worker’s sandboxes, and why not what would be faster. An older worker does not report this. */
export function checkDrivers(name: string, { drivers = [] }: Worker): Check[] {
  const first = drivers.find(({ unavailable }) => unavailable === null);
  const direct = drivers.find((driver) => driver.name === 'oci');
  if (first === undefined || direct === undefined) return [];
  if (first.name === 'oci') {
    const slower = direct.runtime?.startsWith('runc ') ? `; ${crunInstead}` : '';
    return [ok(name, `oci (${direct.runtime}): the worker starts sandboxes itself${slower}`)];
  }
  const detail = `the engine starts all sandboxes, not the worker itself: ${direct.unavailable}`;
  if (direct.remedy === undefined) return [ok(name, detail)];
  return [warning(name, `${detail}; each takes some ten times as much processor time`, direct.remedy)];
}
