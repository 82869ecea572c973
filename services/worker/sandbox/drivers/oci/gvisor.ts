import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../../../../shared/log.ts';
import type { EngineInfo } from '../../../engine/engine.ts';
import type { Cgroups } from './cgroups.ts';
import { probeGvisor, type Trials } from './probe.ts';
import { findGvisor } from './runtime.ts';
import type { Starter } from './start.ts';

/** What keeps it from starting may pass (the machine was short of something, the launcher was killed): so often it is tried, in all. */
const mostTries = 5;
const againMs = 30_000;
/** Of what its runtime says in the log; the rest of a Go program's last words are its stacks. */
const maxReason = 300;

/**
 * Has the machine start sandboxes in gVisor (`machine.gvisor`) once one was seen to start. That takes a second or more, so nobody waits for it:
 * meanwhile they are the engine's. `close` waits for a trial that is under way.
 */
export function openGvisor(options: {
  info: Pick<EngineInfo, 'runtimes'>;
  cgroups: () => Cgroups;
  starter: Starter;
  trials: Trials;
  log: Log;
}): { close(): Promise<void> } {
  const { starter, log } = options;
  const { machine } = starter;
  const closing = new AbortController();

  async function isOpened(): Promise<boolean> {
    try {
      const runtime = await findGvisor(options.info);
      if (runtime === undefined) return true;
      const gvisor = { runtime, cgroups: options.cgroups() };
      await probeGvisor({ ...starter, machine: { ...machine, gvisor } }, options.trials);
      machine.gvisor = gvisor;
      log.info({ runtime: runtime.version }, 'gVisor is started directly');
      return true;
    } catch (error) {
      const reason = (error as Error).message.slice(0, maxReason);
      log.warn({ reason }, 'gVisor cannot be started directly: it is the engine’s');
      return false;
    }
  }

  async function open(): Promise<void> {
    for (let tries = 1; !(await isOpened()) && tries < mostTries; tries += 1) {
      await sleep(againMs, undefined, { signal: closing.signal, ref: false }).catch(() => {});
      if (closing.signal.aborted) return;
    }
  }
  const opened = open();

  return {
    close() {
      closing.abort();
      return opened;
    },
  };
}
