import type { Log } from '../../shared/log.ts';
import { shutdownWaitMs, within } from '../../shared/within.ts';

type Stops = { stop(): Promise<unknown> };

/** How long sandboxes that nobody has used may take to go. What is left then another worker's reaper removes. */
const poolStopMs = 10_000;

/** What is stopped, in this order; see `stopOnce`. */
export type Parts = {
  commands: Stops;
  /** Sandboxes are removed at once from now on, not when the node has time. */
  hurry: () => void;
  intake: { shutDown(ms: number): Promise<void> };
  /** How long runs that are under way may go on. */
  drainMs: number;
  registrar: { beatOnce(): Promise<void>; leave(): Promise<void> };
  watches: (() => void)[];
  queue: { close(): Promise<void> };
  looks: Stops;
  pool: Stops;
  drivers: { close(): Promise<void> };
  services: Stops;
  reaper: Stops;
  userBlock: { leave(): Promise<void> } | undefined;
  disk: { close(): void };
  engine: { close(): void };
  /** Ends the connections to Redis. */
  disconnect: () => Promise<unknown>;
  runsUnderWay: () => number;
  log: Log;
};

/**
 * Stops a worker: nothing new is taken, runs end or are ended, what was made for them is removed, and only then the worker leaves. Each
 * wait has a bound, since Redis or the engine may be away. Called again, it waits for the first call.
 */
export function stopOnce(parts: Parts): () => Promise<void> {
  let stopped: Promise<void> | undefined;
  return () => {
    stopped ??= stop(parts);
    return stopped;
  };
}

async function stop(parts: Parts): Promise<void> {
  const { log, registrar } = parts;
  log.info({ underWay: parts.runsUnderWay() }, 'draining');
  const commandsEnded = parts.commands.stop();
  parts.hurry();
  const drained = parts.intake.shutDown(parts.drainMs);
  await within(shutdownWaitMs, registrar.beatOnce());
  await drained;
  for (const leave of parts.watches) leave();
  await parts.queue.close();
  const looked = parts.looks.stop();
  await within(poolStopMs, parts.pool.stop());
  await within(shutdownWaitMs, looked);
  await within(shutdownWaitMs, parts.drivers.close());
  await within(shutdownWaitMs, commandsEnded);
  await within(shutdownWaitMs, parts.services.stop());
  await within(shutdownWaitMs, parts.reaper.stop());
  await within(shutdownWaitMs, parts.userBlock?.leave() ?? Promise.resolve());
  parts.disk.close();
  parts.engine.close();
  await within(shutdownWaitMs, registrar.leave());
  await parts.disconnect();
  log.info('stopped');
}
