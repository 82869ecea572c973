import type { Worker } from '../../../../shared/contracts/worker.ts';
import type { Log } from '../../../../shared/log.ts';
import type { SandboxDriver } from '../driver.ts';
import { createDrivers, type SandboxDrivers } from './choose.ts';
import { createEngineDriver } from './engine/engine-driver.ts';
import { type OciOptions, openOciDriver } from './oci/open-oci.ts';

/** What is said of a worker's drivers. */
type Facts = NonNullable<Worker['drivers']>;

/**
 * The drivers of this worker. With `auto` the direct one comes first, where this machine has what it needs, and the engine's takes what it
 * refuses; with `oci` the worker does not start without the direct one.
 */
export async function openDrivers(
  wanted: 'auto' | 'engine' | 'oci',
  forEngine: Parameters<typeof createEngineDriver>[0],
  forOci: OciOptions,
  log: Log,
): Promise<{ drivers: SandboxDrivers; facts: () => Facts }> {
  const engine = createEngineDriver(forEngine);
  if (wanted === 'engine') {
    const unavailable = 'RUNLET_DRIVER is "engine"';
    return together([engine], () => ({ runtime: null, unavailable }), log);
  }
  const oci = await openOciDriver(forOci);
  if (!('unavailable' in oci))
    return together([oci.driver, engine], () => ({ runtime: oci.runtimes(), unavailable: null }), log);
  if (wanted === 'oci')
    throw new Error(
      `RUNLET_DRIVER is "oci", but sandboxes cannot be started directly: ${oci.unavailable}. ${oci.remedy ?? 'Set it to "auto" or "engine".'}`,
    );
  return together([engine], () => ({ runtime: null, ...oci }), log);
}

function together(
  [first, ...others]: [SandboxDriver, ...SandboxDriver[]],
  oci: () => Omit<Facts[number], 'name'>,
  log: Log,
) {
  const facts = (): Facts => [
    { name: 'oci', ...oci() },
    { name: 'engine', runtime: null, unavailable: null },
  ];
  log.info({ first: first.name, drivers: facts() }, 'sandboxes are made by these drivers');
  return { drivers: createDrivers(first, ...others), facts };
}
