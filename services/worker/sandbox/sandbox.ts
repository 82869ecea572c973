import { Problem } from '../../../shared/problems.ts';
import type { Attachment, ContainerSpec, Engine } from '../engine/engine.ts';

export type Sandbox = {
  /** Everything the program writes, in order; ends when the program has ended. */
  output: Attachment['output'];
  stdin: Attachment['stdin'];
  /** Starts the program. Rejects with a Problem when it cannot be started. */
  start(): Promise<void>;
  /** Resolves when the program has ended; rejects when the engine is lost. */
  exited: Promise<{ exitCode: number }>;
  kill(): Promise<void>;
  /** Whether the kernel killed something in it for want of memory. */
  ranOutOfMemory(): Promise<boolean>;
  /** What the program has written to a writable root filesystem. */
  writtenBytes(): Promise<number>;
  /** Destroys it; it is never used again. Idempotent. */
  remove(): Promise<void>;
};

/**
 * A container, made but not started, with its streams attached and its end awaited: not a byte and not an exit can
 * slip by. When anything fails on the way, nothing is left behind.
 */
export async function createSandbox(engine: Engine, spec: ContainerSpec): Promise<Sandbox> {
  let attachment: Attachment | undefined;
  const waiting = new AbortController();
  const remove = async (target: string) => {
    waiting.abort();
    attachment?.close();
    await engine.remove(target);
  };
  try {
    const id = await engine.create(spec);
    const [attached, watch] = await Promise.all([
      engine.attach(id, { stdin: spec.stdin }).then((made) => {
        attachment = made;
        return made;
      }),
      engine.wait(id, { until: 'next-exit', signal: waiting.signal }),
    ]);
    return {
      output: attached.output,
      stdin: attached.stdin,
      start: () => engine.start(id),
      exited: watch.exited,
      kill: () => engine.kill(id, 'SIGKILL'),
      ranOutOfMemory: async () => {
        const state = await engine.inspect(id);
        if (state === null)
          throw new Problem(
            'container_lost',
            'The container was removed by somebody else while it ran: run it again.',
          );
        return state.oomKilled;
      },
      writtenBytes: async () => (await engine.containerSize(id)) ?? 0,
      remove: () => remove(id),
    };
  } catch (error) {
    // By name: a create whose answer was lost may have made it all the same.
    await remove(spec.name).catch(() => {});
    throw error;
  }
}
