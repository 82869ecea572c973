import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../../../../shared/problems.ts';
import type { ContainerId, ContainerState } from '../../../engine/containers.ts';
import type { Engine } from '../../../engine/engine.ts';
import { createInitSession } from '../../init/session.ts';
import type { Sandbox } from '../../sandbox.ts';

/** An engine hears of a container's end a moment after its streams are closed. */
const settleMs = 500;
const lookMs = 50;

/**
 * A sandbox within a container that somebody else keeps alive: an init of its own beside the container's program, which
 * ends what it has begun, and nothing else, when the session is closed. Throws a Problem `container_lost` when
 * the container does not run.
 *
 * @param program what the init is told beside, and as whom it is executed; empty: as the container's user
 */
export async function openExecSandbox(
  engine: Engine,
  containerId: ContainerId,
  initPath: string,
  program: { args: string[]; user: string } = { args: [], user: '' },
): Promise<Sandbox> {
  const inspect = async () => {
    const found = await engine.containers.inspect(containerId);
    if (found !== null) return found;
    throw new Problem('container_lost', 'The service was removed meanwhile.');
  };
  const stopped = () =>
    new Problem('container_lost', 'The service does not run any more: start it, then try again.');

  const before = await inspect();
  if (!before.running) throw stopped();
  // Its own work folder may be gone; the session sets another anyway.
  const spec = { argv: [initPath, 'exec', ...program.args], user: program.user, workdir: '/', env: {} };
  const session = createInitSession(await engine.containers.exec(containerId, spec));

  /** Of a container that has perhaps just ended. */
  async function settled(): Promise<ContainerState> {
    for (let waited = 0; ; waited += lookMs) {
      const now = await inspect();
      if (!now.running || now.startedAt !== before.startedAt || waited >= settleMs) return now;
      await sleep(lookMs);
    }
  }
  // Of a past that is not this program's the engine goes on telling.
  const ranOut = (now: ContainerState) => now.oomKilled && !before.oomKilled;

  try {
    await session.ready;
  } catch (error) {
    const now = await settled();
    if (!now.running) throw stopped();
    const { message } = error as Error;
    throw new Problem(
      'internal',
      `Nothing can be run in the service, as its init does not start: ${message}`,
      {
        cause: error,
      },
    );
  }
  return {
    session,
    kill: async () => session.close(),
    async lostBy() {
      const now = await settled();
      if (ranOut(now)) return 'memory';
      if (!now.running || now.startedAt !== before.startedAt) throw stopped();
      return 'unknown';
    },
    ranOutOfMemory: async () => ranOut(await inspect()),
    remove: async () => session.close(),
  };
}
