import type { Attachment, OutputChunk } from '../../engine/streams.ts';
import { createExchange, type Handler, nothing } from './exchange.ts';
import { createFiles } from './files.ts';
import { canBeSent, dataFrames, fileReplaces, frame, ProtocolViolation, u32, u64 } from './frames.ts';
import { holdOrder, isSameStart, type Start, type StepSpec, startOf } from './order.ts';
import { execStep, type RunningStep } from './step.ts';

export { FileTooLarge, SandboxLost, StartFailed } from './errors.ts';
export type { StepEnd } from './frames.ts';
export type { StepSpec } from './order.ts';
export type { RunningStep } from './step.ts';

export type InitSession = ReturnType<typeof createInitSession>;

/**
 * The worker's side of a sandbox init, over a container's attached streams. One thing at a time: prepare, then steps,
 * lists and reads one after another. Output is read as fast as it is taken.
 */
export function createInitSession(attachment: Attachment) {
  const exchange = createExchange(attachment);
  const files = createFiles(exchange);
  /** The program that waits, started but for its work; and the folder it was started in. */
  let held: { start: Start; workdir: string } | undefined;
  let workdir = '';
  let hasContent = false;

  return {
    /** Resolves when the init is there; rejects with SandboxLost. Need not be awaited before the first frames. */
    ready: exchange.ready,
    /** Resolves when the session is over, with what broke it. */
    closed: exchange.closed,
    ...files,

    /** Sets the work folder and brings files into it. What cannot be done fails what is asked next. */
    async prepare(folder: string, bring: { path: string; data: Buffer; mode: number }[]): Promise<void> {
      workdir = folder;
      exchange.gather();
      exchange.send(frame('W', Buffer.from(workdir)));
      for (const { path, data, mode } of bring) {
        if (path.startsWith('.')) held = undefined;
        const flags = mode | (hasContent ? fileReplaces : 0);
        exchange.send(frame('F', u32(flags), u64(data.length), Buffer.from(path)));
        for (const piece of dataFrames('D', data)) {
          exchange.send(piece);
          await exchange.room();
        }
      }
    },

    /**
     * Brings in what an image has in the sandbox's folders, as frames that were made of it. Only for an init of our own sandbox's: one beside a
     * service may be older. Files that `prepare` brings afterwards go before it. Rejects with StartFailed; with the signal's reason
     * when it aborts, and then the session is of no use any more.
     */
    async bring(content: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<void> {
      hasContent = true;
      for await (const piece of content) {
        signal?.throwIfAborted();
        if (exchange.isLost()) break;
        exchange.send(piece);
        await exchange.room();
      }
      await files.list(0);
    },

    /**
     * Starts a program ahead of its step, and keeps it before its first system call that is given the path `until`. `exec` of
     * the same program lets it go on; one of any other ends it first. So does the same one where it might have found something
     * else on its way: in another folder, or with files whose path begins with a dot, where interpreters look for their
     * user's own. Resolves to whether it is held.
     */
    hold(step: Pick<StepSpec, 'argv' | 'env' | 'stdin' | 'stackBytes'>, until: string): Promise<boolean> {
      return new Promise((resolve, reject) => {
        const start = startOf(step);
        const order = holdOrder(start, step.stackBytes, until);
        const isSent = canBeSent(order);
        const handler: Handler = {
          onLost: reject,
          onFrame(one) {
            if (one.type === 'taken') return;
            const isHeld = one.type === 'held' && one.held;
            if (one.type !== (isSent ? 'held' : 'list_end'))
              throw new ProtocolViolation(`${one.type} in answer to a hold`);
            exchange.done(handler);
            const isThere = exchange.takeFailure() === undefined;
            held = isHeld && isThere ? { start, workdir } : undefined;
            resolve(held !== undefined);
          },
        };
        exchange.begin(handler);
        exchange.send(isSent ? order : nothing);
      });
    },

    exec(step: StepSpec, onOutput: (chunk: OutputChunk) => Promise<void> | void): RunningStep {
      const start = startOf(step);
      const isHeld = held?.workdir === workdir && isSameStart(held.start, start);
      const running = execStep(exchange, start, step, isHeld, onOutput);
      held = undefined;
      return running;
    },

    /** Ends the session; the container is the caller's to remove. Idempotent. */
    close: () => exchange.lose('the session was closed'),
  };
}
