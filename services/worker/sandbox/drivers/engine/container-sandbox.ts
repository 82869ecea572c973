import { Problem } from '../../../../../shared/problems.ts';
import { containerDisk } from '../../../disk/watch.ts';
import type { ContainerSpec } from '../../../engine/containers.ts';
import type { Engine } from '../../../engine/engine.ts';
import type { Attachment } from '../../../engine/streams.ts';
import { sandboxName } from '../../../labels.ts';
import type { OwnSandbox } from '../../driver.ts';
import { createInitSession } from '../../init/session.ts';

/** A sandbox that is a container. It is made but not started. */
export type ContainerSandbox = Omit<OwnSandbox, 'userName'> & {
  /** Rejects with a Problem when it cannot be started. */
  start(): Promise<void>;
};

/**
 * Makes a container with its streams attached, so frames may be sent before it starts. If anything fails, nothing is
 * left behind.
 */
export async function createContainerSandbox(
  engine: Pick<Engine, 'containers'>,
  spec: ContainerSpec,
): Promise<ContainerSandbox> {
  let attachment: Attachment | undefined;
  const remove = async (target: string) => {
    // This comes first: Docker holds a container's lock while it waits for somebody to read the program's output.
    attachment?.close();
    await engine.containers.remove(target);
  };
  try {
    const id = await engine.containers.create(spec);
    attachment = await engine.containers.attach(id, { stdin: true });
    const session = createInitSession(attachment);
    const state = async () => {
      const found = await engine.containers.inspect(id);
      if (found !== null) return found;
      throw new Problem(
        'container_lost',
        'The container was removed by somebody else while it ran: run it again.',
      );
    };
    return {
      session,
      id,
      limits: { memoryBytes: spec.memoryBytes, cpus: spec.cpus, pids: spec.pids },
      disk: containerDisk(engine, id),
      start: () => engine.containers.start(id),
      update: (limits) => engine.containers.update(id, limits),
      claim: (owner) => engine.containers.rename(id, sandboxName(owner)),
      kill: () => {
        session.close();
        attachment?.close();
        return engine.containers.kill(id, 'SIGKILL');
      },
      lostBy: async () => ((await state()).oomKilled ? 'memory' : 'unknown'),
      ranOutOfMemory: async () => (await state()).oomKilled,
      remove: () => {
        session.close();
        return remove(id);
      },
    };
  } catch (error) {
    // Removed by name: if the answer to the create was lost, the container may exist all the same.
    await remove(spec.name).catch(() => {});
    throw error;
  }
}
