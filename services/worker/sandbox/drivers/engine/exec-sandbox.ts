import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../../../../shared/problems.ts';
import type { ContainerId, ContainerState, Containers } from '../../../engine/containers.ts';
import { createInitSession } from '../../init/session.ts';
import type { Sandbox } from '../../sandbox.ts';

/** The engine notices a container's end only a moment after its streams are closed. */
const settleMs = 500;
const lookMs = 50;

/**
 * A sandbox within a container that somebody else keeps alive. It has its own init beside the container's program. When
 * the session is closed, this init ends only what it has started itself. Throws a Problem `container_lost` when the
 * container does not run.
 *
 * @param program more arguments for the init, and the user it is executed as; empty: the container's user
 */
export async function openExecSandbox(
  containers: Containers,
  containerId: ContainerId,
  initPath: string,
  program: { args: string[]; user: string } = { args: [], user: '' },
): Promise<Sandbox> {
  const inspect = async () => {
    const found = await containers.inspect(containerId);
    if (found !== null) return found;
    throw new Problem('container_lost', 'The service was removed meanwhile.');
  };
  const stopped = () =>
    new Problem('container_lost', 'The service does not run any more: start it, then try again.');

  const before = await inspect();
  if (!before.running) throw stopped();
  // The container's own work folder may be gone. The session sets another one anyway.
  const spec = { argv: [initPath, 'exec', ...program.args], user: program.user, workdir: '/', env: {} };
  const session = createInitSession(await containers.exec(containerId, spec));

  /** The state of a container that may have just ended. */
  async function settled(): Promise<ContainerState> {
    for (let waited = 0; ; waited += lookMs) {
      const now = await inspect();
      if (!now.running || now.startedAt !== before.startedAt || waited >= settleMs) return now;
      await sleep(lookMs);
    }
  }
  // The engine keeps reporting an old OOM kill, which has nothing to do with this program.
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
