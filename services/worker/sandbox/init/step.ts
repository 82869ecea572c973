import { constants } from 'node:os';
import type { OutputChunk } from '../../engine/streams.ts';
import { StartFailed } from './errors.ts';
import { type Exchange, type Handler, nothing } from './exchange.ts';
import { canBeSent, frame, ProtocolViolation, type StepEnd, u16 } from './frames.ts';
import { execOrder, type Start, type StepSpec } from './order.ts';

export type RunningStep = {
  /** Resolves when the program has been executed; rejects with StartFailed or SandboxLost. */
  started: Promise<void>;
  /** Resolves after the last byte of output was taken. Rejects in the same cases as `started`. */
  ended: Promise<StepEnd>;
  stdin: {
    /** Resolves when the init has room for more. Data after the step's end are dropped. */
    write(data: Buffer): Promise<void>;
    end(): void;
  };
  /** Sends a signal to the step's process group. */
  signal(number: number): void;
  resize(cols: number, rows: number): void;
  kill(): void;
};

/** The most bytes of stdin that may be sent before the init confirms that they were taken (README.md). */
const stdinAhead = 256 * 1024;

/** Starts a program, or lets a held one continue. */
export function execStep(
  exchange: Exchange,
  start: Start,
  step: StepSpec,
  isHeld: boolean,
  onOutput: (chunk: OutputChunk) => Promise<void> | void,
): RunningStep {
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<StepEnd>();
  started.promise.catch(() => {});
  ended.promise.catch(() => {});
  const order = execOrder(start, step, isHeld);
  const isSent = canBeSent(order);
  let running = isSent;
  let hasStarted = false;
  /**
   * Set if the program runs without its files or its folder. It is being killed, and the caller gets only this error.
   */
  let lacking: StartFailed | undefined;
  let ahead = 0;
  let taken = Promise.withResolvers<void>();
  const over = () => {
    running = false;
    taken.resolve();
    exchange.done(handler);
  };
  const fail = (error: Error) => {
    over();
    started.reject(error);
    ended.reject(error);
  };
  const handler: Handler = {
    onLost: fail,
    onFrame(one) {
      switch (one.type) {
        case 'started':
          if (hasStarted) throw new ProtocolViolation('STARTED twice');
          hasStarted = true;
          lacking = exchange.takeFailure();
          if (lacking === undefined) return started.resolve();
          running = false;
          taken.resolve();
          return exchange.send(frame('K'));
        case 'failed':
          if (hasStarted) throw new ProtocolViolation('a step failed to start after it had');
          // If its files are missing, that is the reason to report.
          return fail(exchange.takeFailure() ?? new StartFailed(one.what, one.errno, one.text));
        case 'stdout':
        case 'stderr':
          if (!hasStarted) throw new ProtocolViolation('output of a step that has not started');
          if (lacking !== undefined) return;
          return onOutput({ stream: one.type, data: one.data });
        case 'taken':
          ahead -= one.bytes;
          if (ahead < 0) throw new ProtocolViolation('more was taken of stdin than was given');
          taken.resolve();
          taken = Promise.withResolvers();
          return;
        case 'exit':
          if (!hasStarted) throw new ProtocolViolation('the end of a step that has not started');
          if (lacking !== undefined) return fail(lacking);
          over();
          return ended.resolve(one.end);
        case 'list_end':
          if (isSent) throw new ProtocolViolation('a list while a step runs');
          // The same error as the kernel's.
          return fail(
            exchange.takeFailure() ?? new StartFailed('exec', constants.errno.E2BIG, step.argv[0] ?? ''),
          );
        default:
          throw new ProtocolViolation(`${one.type} while a step runs`);
      }
    },
  };
  exchange.begin(handler);
  exchange.gather();
  exchange.send(isSent ? order : nothing);

  const tell = (data: Buffer) => {
    if (running) exchange.send(data);
  };
  return {
    started: started.promise,
    ended: ended.promise,
    stdin: {
      async write(data) {
        for (const piece of pieces(data)) {
          // The container may be hostile: it may send TAKEN although it takes nothing.
          await exchange.room();
          while (running && ahead + piece.length > stdinAhead) await taken.promise;
          if (!running) return;
          ahead += piece.length;
          exchange.send(frame('I', piece));
        }
      },
      end: () => tell(frame('Z')),
    },
    signal: (number) => tell(frame('S', Buffer.from([number]))),
    resize: (cols, rows) => tell(frame('R', u16(cols), u16(rows))),
    kill: () => tell(frame('K')),
  };
}

function* pieces(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at += 64 * 1024) yield data.subarray(at, at + 64 * 1024);
}
