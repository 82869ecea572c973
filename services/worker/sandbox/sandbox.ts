import { Problem } from '../../../shared/problems.ts';
import type { ContainerId, ContainerSpec, UpdatableLimits } from '../engine/containers.ts';
import type { Engine } from '../engine/engine.ts';
import type { Attachment } from '../engine/streams.ts';
import { createInitSession, type InitSession } from './init/session.ts';
import { usualUser } from './users/accounts.ts';

export type Sandbox = {
  /** The init's side of it; frames may be sent before the start. */
  session: InitSession;
  /** As the engine names it. */
  containerId: ContainerId;
  /** What it was made with. */
  limits: UpdatableLimits;
  /** What its programs' user is called. */
  userName: string;
  /** Starts the container. Rejects with a Problem when it cannot be started. */
  start(): Promise<void>;
  update(limits: UpdatableLimits): Promise<void>;
  rename(name: string): Promise<void>;
  /** Kills the container, and with it all that is in it. */
  kill(): Promise<void>;
  /** Why the session broke off: `memory` when the kernel killed something in it for want of memory. */
  lostBy(): Promise<'memory' | 'unknown'>;
  ranOutOfMemory(): Promise<boolean>;
  /** Destroys it; it is never used again. Idempotent. */
  remove(): Promise<void>;
};

/**
 * A container, made but not started, with its streams attached. When anything fails on the way, nothing is left behind.
 */
export async function createSandbox(
  engine: Engine,
  spec: ContainerSpec,
  userName = usualUser,
): Promise<Sandbox> {
  let attachment: Attachment | undefined;
  const remove = async (target: string) => {
    // First: Docker holds a container's lock while it waits for somebody to take what the program wrote.
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
      containerId: id,
      limits: { memoryBytes: spec.memoryBytes, cpus: spec.cpus, pids: spec.pids },
      userName,
      start: () => engine.containers.start(id),
      update: (limits) => engine.containers.update(id, limits),
      rename: (name) => engine.containers.rename(id, name),
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
    // By name: a create whose answer was lost may have made it all the same.
    await remove(spec.name).catch(() => {});
    throw error;
  }
}
