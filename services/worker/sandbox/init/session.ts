import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import type { Attachment, OutputChunk } from '../../engine/streams.ts';
import {
  canBeSent,
  createFrameParser,
  dataFrames,
  type FailedStep,
  fileReplaces,
  frame,
  type InitFrame,
  ProtocolViolation,
  type StepEnd,
  u16,
  u32,
  u64,
} from './frames.ts';
import { execOrder, holdOrder, isSameStart, type Start, type StepSpec, startOf } from './order.ts';

export type { StepEnd } from './frames.ts';
export type { StepSpec } from './order.ts';

/** The init could not do what it was told; the sandbox is as it was before. */
export class StartFailed extends Error {
  override readonly name = 'StartFailed';
  readonly what: FailedStep;
  readonly errno: number;
  /** The path or the command that it was about. */
  readonly text: string;
  constructor(what: FailedStep, errno: number, text: string) {
    super(`${what}: error ${errno} (${text})`);
    this.what = what;
    this.errno = errno;
    this.text = text;
  }
}

/** A file was to be read that has more bytes than are wanted. */
export class FileTooLarge extends Error {
  readonly sizeBytes: number;
  constructor(sizeBytes: number) {
    super(`a file of ${sizeBytes} bytes`);
    this.sizeBytes = sizeBytes;
  }
}

/** The sandbox is gone, or not to be trusted any further: its cause says why, where that is known. */
export class SandboxLost extends Error {
  override readonly name = 'SandboxLost';
}

export type RunningStep = {
  /** Resolves when the program has been executed; rejects with StartFailed or SandboxLost. */
  started: Promise<void>;
  /** Resolves after the last byte of output was taken; rejects as `started`. */
  ended: Promise<StepEnd>;
  stdin: {
    /** Resolves when the init has room for more. What comes after the step's end is dropped. */
    write(data: Buffer): Promise<void>;
    end(): void;
  };
  /** To the step's process group. */
  signal(number: number): void;
  resize(cols: number, rows: number): void;
  kill(): void;
};

export type InitSession = ReturnType<typeof createInitSession>;

const version = 1;
/** So much of stdin may be on its way before the init has said that it was taken (README.md). */
const stdinAhead = 256 * 1024;
/** What is kept of a container's own stderr, where a runtime says why it could not go on. */
const complaintMost = 4096;

type Waiting = {
  onFrame(frame: InitFrame): void | Promise<void>;
  onLost(error: Error): void;
};

/**
 * The worker's side of a sandbox init, over a container's attached streams. One thing at a time: prepare, then steps,
 * lists and reads one after another. Output is read as fast as it is taken.
 */
export function createInitSession(attachment: Attachment) {
  const { output } = attachment;
  const input = attachment.stdin as Writable;
  const ready = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<Error | undefined>();
  ready.promise.catch(() => {});
  let isReady = false;
  let lost: Error | undefined;
  let waiting: Waiting | undefined;
  /** Of WORKDIR and FILE, which answer nothing when they succeed: the first failure fails what follows. */
  let failure: StartFailed | undefined;
  /** The program that waits, started but for its work; and the folder it was started in. */
  let held: { start: Start; workdir: string } | undefined;
  let workdir = '';
  let hasContent = false;
  let complaint = '';
  /** What came before READY: an engine's word on why there is no init. */
  let opening = '';
  let drained = Promise.withResolvers<void>();

  const lose = (why: string, cause?: unknown) => {
    if (lost !== undefined) return;
    const said = `${isReady ? '' : opening}${complaint}`.trim();
    lost = new SandboxLost(said === '' ? why : `${why}: ${said}`, { cause });
    ready.reject(lost);
    waiting?.onLost(lost);
    waiting = undefined;
    drained.resolve();
    attachment.close();
    closed.resolve(cause instanceof Error ? cause : lost);
  };

  const send = (data: Buffer) => {
    if (lost === undefined) input.write(data);
  };
  /** All that is sent until no promise has anything more to do leaves in one write. */
  const gather = () => {
    input.cork();
    queueMicrotask(() => process.nextTick(() => input.uncork()));
  };
  /** What is sent in quantity waits for this: a sandbox that reads nothing shall not fill our memory. */
  const room = async () => {
    while (lost === undefined && input.writableNeedDrain) await drained.promise;
  };

  const take = (one: InitFrame): void | Promise<void> => {
    if (!isReady) {
      if (one.type !== 'ready' || one.version !== version)
        throw new ProtocolViolation('the first frame is not READY of this version');
      isReady = true;
      return ready.resolve();
    }
    if (one.type === 'ready') throw new ProtocolViolation('READY twice');
    if (one.type === 'broken') throw new ProtocolViolation(`the init gave up: ${one.text}`);
    if (one.type === 'failed' && (one.what === 'workdir' || one.what === 'file')) {
      failure ??= new StartFailed(one.what, one.errno, one.text);
      return;
    }
    // What was taken of a stdin may be said after the step's end.
    if (waiting === undefined) {
      if (one.type === 'taken') return;
      throw new ProtocolViolation(`${one.type} while nothing was asked`);
    }
    return waiting.onFrame(one);
  };

  const read = async () => {
    // Frames are taken in order; one that has to wait keeps the rest, and the container's output, waiting.
    const queue: InitFrame[] = [];
    const parse = createFrameParser((one) => queue.push(one));
    for await (const chunk of output as AsyncIterable<OutputChunk>) {
      if (chunk.stream === 'stderr') {
        if (complaint.length < complaintMost) complaint += chunk.data.toString('utf8', 0, complaintMost);
        continue;
      }
      if (!isReady && opening.length < complaintMost)
        opening += chunk.data.toString('utf8', 0, complaintMost);
      parse(chunk.data);
      for (const one of queue.splice(0)) {
        const done = take(one);
        if (done !== undefined) await done;
      }
    }
  };
  read().then(
    () => lose('the sandbox ended'),
    (error) => lose('the sandbox was lost', error),
  );
  input.on('drain', () => {
    drained.resolve();
    drained = Promise.withResolvers();
  });
  input.on('error', (error) => lose('the sandbox takes no more input', error));

  /** Asks for something and hands what follows to `act` until it settles. */
  function exchange(handler: Waiting): void {
    if (lost !== undefined) handler.onLost(lost);
    else if (waiting !== undefined) throw new Error('an init does one thing at a time');
    else waiting = handler;
  }
  const takeFailure = () => {
    const found = failure;
    failure = undefined;
    return found;
  };
  const done = (handler: Waiting) => {
    if (waiting === handler) waiting = undefined;
  };

  return {
    /** Resolves when the init is there; rejects with SandboxLost. Need not be awaited before the first frames. */
    ready: ready.promise,
    /** Resolves when the session is over, with what broke it. */
    closed: closed.promise,

    /** Sets the work folder and brings files into it. What cannot be done fails what is asked next. */
    async prepare(folder: string, files: { path: string; data: Buffer; mode: number }[]): Promise<void> {
      workdir = folder;
      gather();
      send(frame('W', Buffer.from(workdir)));
      for (const { path, data, mode } of files) {
        if (path.startsWith('.')) held = undefined;
        send(frame('F', u32(mode | (hasContent ? fileReplaces : 0)), u64(data.length), Buffer.from(path)));
        for (const piece of dataFrames('D', data)) {
          send(piece);
          await room();
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
        if (lost !== undefined) break;
        send(piece);
        await room();
      }
      await this.list(0);
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
        const handler: Waiting = {
          onLost: reject,
          onFrame(one) {
            if (one.type === 'taken') return;
            const isHeld = one.type === 'held' && one.held;
            if (one.type !== (isSent ? 'held' : 'list_end'))
              throw new ProtocolViolation(`${one.type} in answer to a hold`);
            done(handler);
            const isThere = takeFailure() === undefined;
            held = isHeld && isThere ? { start, workdir } : undefined;
            resolve(held !== undefined);
          },
        };
        exchange(handler);
        send(isSent ? order : nothing);
      });
    },

    exec(step: StepSpec, onOutput: (chunk: OutputChunk) => Promise<void> | void): RunningStep {
      const started = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<StepEnd>();
      started.promise.catch(() => {});
      ended.promise.catch(() => {});
      const start = startOf(step);
      const isHeld = held?.workdir === workdir && isSameStart(held.start, start);
      const order = execOrder(start, step, isHeld);
      const isSent = canBeSent(order);
      let running = isSent;
      let hasStarted = false;
      /** It runs without the files or the folder that it was to have, and is being killed: nobody hears of it. */
      let vain: StartFailed | undefined;
      let ahead = 0;
      let taken = Promise.withResolvers<void>();
      const over = () => {
        running = false;
        taken.resolve();
        done(handler);
      };
      const fail = (error: Error) => {
        over();
        started.reject(error);
        ended.reject(error);
      };
      const handler: Waiting = {
        onLost: fail,
        onFrame(one) {
          switch (one.type) {
            case 'started':
              if (hasStarted) throw new ProtocolViolation('STARTED twice');
              hasStarted = true;
              vain = takeFailure();
              if (vain === undefined) return started.resolve();
              running = false;
              taken.resolve();
              return send(frame('K'));
            case 'failed':
              if (hasStarted) throw new ProtocolViolation('a step failed to start after it had');
              // That it lacks its files is the reason that counts.
              return fail(takeFailure() ?? new StartFailed(one.what, one.errno, one.text));
            case 'stdout':
            case 'stderr':
              if (!hasStarted) throw new ProtocolViolation('output of a step that has not started');
              if (vain !== undefined) return;
              return onOutput({ stream: one.type, data: one.data });
            case 'taken':
              ahead -= one.bytes;
              if (ahead < 0) throw new ProtocolViolation('more was taken of stdin than was given');
              taken.resolve();
              taken = Promise.withResolvers();
              return;
            case 'exit':
              if (!hasStarted) throw new ProtocolViolation('the end of a step that has not started');
              if (vain !== undefined) return fail(vain);
              over();
              return ended.resolve(one.end);
            case 'list_end':
              if (isSent) throw new ProtocolViolation('a list while a step runs');
              // As the kernel would say it.
              return fail(
                takeFailure() ?? new StartFailed('exec', constants.errno.E2BIG, step.argv[0] ?? ''),
              );
            default:
              throw new ProtocolViolation(`${one.type} while a step runs`);
          }
        },
      };
      exchange(handler);
      gather();
      held = undefined;
      send(isSent ? order : nothing);

      const tell = (data: Buffer) => {
        if (running) send(data);
      };
      return {
        started: started.promise,
        ended: ended.promise,
        stdin: {
          async write(data) {
            for (const piece of pieces(data)) {
              // The container may be one that says TAKEN, and takes nothing.
              await room();
              while (running && ahead + piece.length > stdinAhead) await taken.promise;
              if (!running) return;
              ahead += piece.length;
              send(frame('I', piece));
            }
          },
          end: () => tell(frame('Z')),
        },
        signal: (number) => tell(frame('S', Buffer.from([number]))),
        resize: (cols, rows) => tell(frame('R', u16(cols), u16(rows))),
        kill: () => tell(frame('K')),
      };
    },

    /**
     * The regular files below the work folder, at most `most` of them (folders count too). Between steps. `unnamed` are those whose
     * path is no UTF-8, which nobody could ask for: as it reads, and its bytes.
     */
    list(most: number): Promise<{
      files: { path: string; sizeBytes: number; mode: number }[];
      unnamed: { path: string; bytes: Buffer }[];
      truncated: boolean;
    }> {
      return new Promise((resolve, reject) => {
        const files: { path: string; sizeBytes: number; mode: number }[] = [];
        const unnamed: { path: string; bytes: Buffer }[] = [];
        let entries = 0;
        const handler: Waiting = {
          onLost: reject,
          onFrame(one) {
            if (one.type === 'taken') return;
            if (one.type === 'entry' && entries < most) {
              entries += 1;
              const { path, bytes, sizeBytes, mode } = one;
              if (!isPlainPath(path)) return;
              if (bytes === null) files.push({ path, sizeBytes, mode });
              else unnamed.push({ path, bytes });
              return;
            }
            if (one.type !== 'list_end') throw new ProtocolViolation(`${one.type} in a list`);
            done(handler);
            const failed = takeFailure();
            if (failed === undefined) resolve({ files, unnamed, truncated: one.truncated });
            else reject(failed);
          },
        };
        exchange(handler);
        send(frame('L', u32(most)));
      });
    },

    /**
     * A file's bytes, read as fast as they are taken. Rejects with StartFailed when it cannot be read; with FileTooLarge when it has more than
     * `most`, and then the session is over. Between steps.
     */
    async *read(path: string, most = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
      let left: number | undefined;
      const queue: Buffer[] = [];
      let error: Error | undefined;
      /** Of what came before: the file that is there is not the one that was to be. */
      let vain: StartFailed | undefined;
      let news = Promise.withResolvers<void>();
      let taken = Promise.withResolvers<void>();
      const handler: Waiting = {
        onLost(why) {
          error = why;
          news.resolve();
        },
        onFrame(one) {
          if (one.type === 'taken') return;
          if (one.type === 'failed') {
            done(handler);
            error = vain ?? takeFailure() ?? new StartFailed(one.what, one.errno, one.text);
          } else if (one.type === 'content' && left === undefined) {
            left = one.sizeBytes;
            vain = takeFailure();
            if (left > most) error = vain ?? new FileTooLarge(left);
          } else if (one.type === 'data' && left !== undefined && one.data.length <= left) {
            left -= one.data.length;
            if (vain === undefined && error === undefined) queue.push(one.data);
          } else throw new ProtocolViolation(`${one.type} in a file’s content`);
          if (left === 0) {
            done(handler);
            error ??= vain;
          }
          news.resolve();
          if (queue.length === 0) return;
          taken = Promise.withResolvers();
          return taken.promise;
        },
      };
      exchange(handler);
      send(frame('G', Buffer.from(path)));
      try {
        for (;;) {
          await news.promise;
          news = Promise.withResolvers();
          for (const data of queue.splice(0)) yield data;
          taken.resolve();
          if (error !== undefined) throw error;
          if (left === 0) return;
        }
      } finally {
        // Left before its end: what still comes would be taken for something else.
        taken.resolve();
        if (waiting === handler) lose('a file was not read to its end');
      }
    },

    /** Removes a file, or a link and not what it leads to; no folder. Rejects with StartFailed. Between steps. */
    unlink(path: string): Promise<void> {
      return new Promise((resolve, reject) => {
        const handler: Waiting = {
          onLost: reject,
          onFrame(one) {
            if (one.type === 'taken') return;
            if (one.type !== 'unlinked' && one.type !== 'failed')
              throw new ProtocolViolation(`${one.type} in answer to an unlink`);
            done(handler);
            const failed =
              takeFailure() ??
              (one.type === 'failed' ? new StartFailed(one.what, one.errno, one.text) : undefined);
            if (failed === undefined) resolve();
            else reject(failed);
          },
        };
        exchange(handler);
        send(frame('U', Buffer.from(path)));
      });
    },

    /** Ends the session; the container is the caller's to remove. Idempotent. */
    close: () => lose('the session was closed'),
  };
}

/**
 * Sent in the place of what cannot be: a LIST of nothing. By its answer all has been heard that failed before; and who
 * waits for a sandbox that is lost hears of that.
 */
const nothing = frame('L', u32(0));

function* pieces(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at += 64 * 1024) yield data.subarray(at, at + 64 * 1024);
}

/** Relative, without empty parts, `.` or `..`. */
function isPlainPath(path: string): boolean {
  return (
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && !path.includes('\0')
  );
}
