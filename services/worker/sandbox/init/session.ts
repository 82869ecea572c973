import { posix } from 'node:path';
import { besideWorkdir, isAbsolute } from '../../../../shared/contracts/run-files.ts';
import type { OutputChunk } from '../../engine/streams.ts';
import { createExchange, type Handler, type InitStreams, nothing } from './exchange.ts';
import { createFiles } from './files.ts';
import { canBeSent, dataFrames, fileReplaces, frame, ProtocolViolation, u32, u64 } from './frames.ts';
import { holdOrder, isSameStart, type Start, type StepSpec, startOf } from './order.ts';
import { execStep, type RunningStep } from './step.ts';

export { FileTooLarge, SandboxLost, StartFailed } from './errors.ts';
export type { StepEnd } from './frames.ts';
export type { StepSpec } from './order.ts';
export type { RunningStep } from './step.ts';

/** `path`: relative to the work folder, or absolute below /tmp. */
type BroughtFile = { path: string; data: Buffer; mode: number };

export type InitSession = ReturnType<typeof createInitSession>;

/**
 * The worker's side of a sandbox init, over a container's attached streams. It does one thing at a time: first prepare,
 * then steps, lists and reads one after another. Output is read no faster than the caller takes it.
 */
export function createInitSession(streams: InitStreams) {
  const exchange = createExchange(streams);
  const files = createFiles(exchange);
  /** The program that is started and held before its work, and the folder it was started in. */
  let held: { start: Start; workdir: string } | undefined;
  let workdir = '';
  let hasContent = false;

  /** Writes files below a folder, which the init stays in. */
  async function put(folder: string, files: BroughtFile[]): Promise<void> {
    exchange.send(frame('W', Buffer.from(folder)));
    for (const { path, data, mode } of files) {
      const flags = mode | (hasContent ? fileReplaces : 0);
      exchange.send(frame('F', u32(flags), u64(data.length), Buffer.from(path)));
      for (const piece of dataFrames('D', data)) {
        exchange.send(piece);
        await exchange.room();
      }
    }
  }

  return {
    /** Resolves when the init has started. Rejects with SandboxLost. The first frames may be sent before that. */
    ready: exchange.ready,
    /** Resolves when the session is over, with the reason. */
    closed: exchange.closed,
    ...files,

    /**
     * Sets the work folder and copies files into it; those with an absolute path, into /tmp. If that fails, the next
     * request fails.
     */
    async prepare(folder: string, bring: BroughtFile[]): Promise<void> {
      workdir = folder;
      exchange.gather();
      const beside = bring.filter(({ path }) => isAbsolute(path));
      if (beside.length > 0) {
        // An interpreter that is held may have looked for files there.
        held = undefined;
        const relative = ({ path, ...rest }: BroughtFile) => ({
          path: posix.relative(besideWorkdir, path),
          ...rest,
        });
        await put(besideWorkdir, beside.map(relative));
      }
      const inside = bring.filter(({ path }) => !isAbsolute(path));
      if (inside.some(({ path }) => path.startsWith('.'))) held = undefined;
      await put(workdir, inside);
    },

    /**
     * Copies in what an image has in the sandbox's folders, as prepared frames. Only for the init of our own sandbox:
     * an init beside a service may be older. If `prepare` copies a file to the same path afterwards, that file replaces
     * it. Rejects with StartFailed. Rejects with the signal's reason when it aborts; then the session cannot be used
     * any more.
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
     * Starts a program ahead of its step, and stops it before its first system call with the path `until`. `exec` of
     * the same program lets it continue; `exec` of any other program ends it first. The same program is also ended if
     * it might have found something else on its way: in another folder, or with files whose path begins with a dot,
     * where interpreters look for the user's own files. Resolves to whether it is held.
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

    /** Ends the session. The caller removes the container. Idempotent. */
    close: () => exchange.lose('the session was closed'),
  };
}
