import type { Writable } from 'node:stream';
import type { OutputChunk } from '../../engine/streams.ts';
import { SandboxLost, StartFailed } from './errors.ts';
import { createFrameParser, frame, type InitFrame, ProtocolViolation, u32 } from './frames.ts';

const version = 1;
/** How much of a container's own stderr is kept. A runtime may say there why it could not go on. */
const maxComplaint = 4096;

/** The streams of an init. The rules are those of an engine's attachment. */
export type InitStreams = { output: AsyncIterable<OutputChunk>; stdin: Writable | null; close(): void };

/** Receives the frames that answer a request. */
export type Handler = {
  onFrame(frame: InitFrame): void | Promise<void>;
  onLost(error: Error): void;
};

export type Exchange = ReturnType<typeof createExchange>;

/** Exchanges frames with an init over a container's attached streams. One request at a time. */
export function createExchange(attachment: InitStreams) {
  const { output } = attachment;
  const input = attachment.stdin as Writable;
  const ready = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<Error | undefined>();
  ready.promise.catch(() => {});
  let isReady = false;
  let lost: Error | undefined;
  let waiting: Handler | undefined;
  /**
   * A failure of WORKDIR or FILE, which send no answer when they succeed. The first failure makes the next request
   * fail.
   */
  let failure: StartFailed | undefined;
  let complaint = '';
  /** The output before READY. The engine may say there why there is no init. */
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
    // The init may report after the step's end how much of a stdin was taken.
    if (waiting === undefined) {
      if (one.type === 'taken') return;
      throw new ProtocolViolation(`${one.type} while nothing was asked`);
    }
    return waiting.onFrame(one);
  };

  const read = async () => {
    // Frames are handled in order. While one has to wait, the following frames and the container's output wait too.
    const queue: InitFrame[] = [];
    const parse = createFrameParser((one) => queue.push(one));
    for await (const chunk of output) {
      if (chunk.stream === 'stderr') {
        if (complaint.length < maxComplaint) complaint += chunk.data.toString('utf8', 0, maxComplaint);
        continue;
      }
      if (!isReady && opening.length < maxComplaint) opening += chunk.data.toString('utf8', 0, maxComplaint);
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

  return {
    ready: ready.promise,
    closed: closed.promise,
    lose,
    isLost: () => lost !== undefined,
    send(data: Buffer): void {
      if (lost === undefined) input.write(data);
    },
    /** Collects everything that is sent until all pending promises have run, and sends it in one write. */
    gather(): void {
      input.cork();
      queueMicrotask(() => process.nextTick(() => input.uncork()));
    },
    /** Large amounts of data wait for this, so that a sandbox that reads nothing cannot fill our memory. */
    async room(): Promise<void> {
      while (lost === undefined && input.writableNeedDrain) await drained.promise;
    },
    /** From now on the handler receives the frames, until `done`. */
    begin(handler: Handler): void {
      if (lost !== undefined) handler.onLost(lost);
      else if (waiting !== undefined) throw new Error('an init does one thing at a time');
      else waiting = handler;
    },
    isWaiting: (handler: Handler) => waiting === handler,
    done(handler: Handler): void {
      if (waiting === handler) waiting = undefined;
    },
    /** Why an earlier WORKDIR or FILE failed. Returned only once. */
    takeFailure(): StartFailed | undefined {
      const found = failure;
      failure = undefined;
      return found;
    },
  };
}

/**
 * A LIST of nothing. It is sent instead of an order that is too long to send. When its answer comes, all earlier
 * failures are known. And if the sandbox is lost, the caller learns of it.
 */
export const nothing = frame('L', u32(0));
