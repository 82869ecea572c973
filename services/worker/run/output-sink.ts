import { isUtf8 } from 'node:buffer';
import type { NewEvent } from '../../../shared/stores/runs.ts';
import { incompleteTail, wholeCharacters } from '../../../shared/utf8.ts';
import type { OutputChunk } from '../engine/streams.ts';

/** The largest entry of the run's stream. */
const entryBytes = 64 * 1024;
/** When more output than this waits for Redis, the program waits, so that the worker's memory stays bounded. */
const maxPendingBytes = 4 * entryBytes;

/**
 * A program that writes byte by byte must not fill Redis with entries. So small writes are gathered before they are sent, and the more
 * entries there are, the longer; large writes are sent at once. With the longest wait a program makes less than a million entries a day.
 * Even the first writes wait a little: the output of a short program then goes to Redis in one write with its end.
 */
const gathering = [
  { afterEntries: 200, ms: 2 },
  { afterEntries: 2_000, ms: 10 },
  { afterEntries: Number.POSITIVE_INFINITY, ms: 100 },
] as const;

type Pending = { type: 'stdout' | 'stderr'; step: string; data: Buffer };

export type OutputSink = ReturnType<typeof createOutputSink>;

/**
 * Takes a run's output in order, step by step. Of each step it keeps exactly the first bytes, up to the step's limit and to what is left
 * of the run's limit, and writes them to the run's stream. One write is under way at a time; what comes meanwhile goes with the next.
 */
export function createOutputSink(options: {
  /** Of all steps together: a run may have a thousand of them, each with a limit of its own. */
  maxBytes: number;
  append: (entries: NewEvent[]) => Promise<boolean>;
  onLost: () => void;
}) {
  const carry = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  /** Whether all output of the step so far is valid UTF-8, apart from the bytes in `carry`. */
  const isText = { stdout: true, stderr: true };
  let step = '';
  let room = 0;
  let truncated = false;
  let onLimit = () => {};
  let pending: Pending[] = [];
  let pendingBytes = 0;
  let keptBytes = 0;
  let entries = 0;
  let lost = false;
  let ending = false;
  let stalled = false;
  let flushing: Promise<void> | undefined;
  let pause = Promise.withResolvers<void>();

  const push = (type: 'stdout' | 'stderr', data: Buffer) => {
    if (data.length === 0) return;
    pendingBytes += data.length;
    isText[type] &&= isUtf8(data);
    const last = pending.at(-1);
    if (last?.type === type && last.step === step && last.data.length + data.length <= entryBytes) {
      last.data = Buffer.concat([last.data, data]);
      return;
    }
    for (let rest = data; rest.length > 0; ) {
      const piece = rest.length > entryBytes ? wholeCharacters(rest.subarray(0, entryBytes)) : rest;
      // A copy: a slice would keep the whole buffer, of which it is a part, in memory.
      pending.push({ type, step, data: Buffer.from(piece) });
      rest = rest.subarray(piece.length);
    }
  };

  const flush = async () => {
    while (pending.length > 0) {
      const ms = gathering.find((one) => entries < one.afterEntries)?.ms ?? 0;
      if (pendingBytes < entryBytes && !ending) {
        const timer = setTimeout(pause.resolve, ms);
        await pause.promise;
        clearTimeout(timer);
        pause = Promise.withResolvers();
      }
      // What is left then is written together with the run's end.
      if (ending) return;
      const batch = pending;
      pending = [];
      pendingBytes = 0;
      entries += batch.length;
      if (lost) continue;
      if (await options.append(batch)) continue;
      lost = true;
      options.onLost();
    }
  };
  const flushed = async () => {
    // Output that came during the last write is written, too, before this resolves.
    while ((pending.length > 0 && !ending) || flushing !== undefined) {
      flushing ??= flush().finally(() => {
        flushing = undefined;
      });
      await flushing;
    }
  };

  return {
    /** Output from now on is this step's. `whenFull` is called once, when it is more than `limitBytes` or than is left of the run's limit. */
    begin(name: string, limitBytes: number, whenFull: () => void): void {
      step = name;
      room = Math.min(limitBytes, options.maxBytes - keptBytes);
      truncated = false;
      isText.stdout = true;
      isText.stderr = true;
      onLimit = whenFull;
    },

    /** The step's program has begun: an entry without bytes says so to whoever follows the run, before the program writes any. */
    announce(): void {
      pending.push({ type: 'stdout', step, data: Buffer.alloc(0) });
      void flushed();
    },

    /** Resolves when there is room for more. */
    async accept(chunk: OutputChunk): Promise<void> {
      if (truncated || chunk.data.length === 0) return;
      const cut = chunk.data.length > room;
      const kept = cut ? chunk.data.subarray(0, room) : chunk.data;
      room -= kept.length;
      keptBytes += kept.length;
      const whole = carry[chunk.stream].length > 0 ? Buffer.concat([carry[chunk.stream], kept]) : kept;
      // The beginning of a character waits for its other bytes, so that each event of a text is text.
      const complete = whole.length - incompleteTail(whole);
      carry[chunk.stream] = Buffer.from(whole.subarray(complete));
      push(chunk.stream, whole.subarray(0, complete));
      if (cut) {
        truncated = true;
        onLimit();
      }
      const done = flushed();
      if (pendingBytes <= maxPendingBytes) return;
      stalled = true;
      await done;
      stalled = false;
    },

    /** Whether the program waits for Redis. */
    stalled: () => stalled,

    /**
     * The step is over. The answer says whether some of its output was cut. Where the step was `stopped` and its output is text, an
     * incomplete character at its end is cut, since the program could not write the rest. Output of a program that ended by itself, and
     * output that is not text, stays as it is.
     */
    endStep({ stopped }: { stopped: boolean }): { truncated: boolean } {
      const ours = stopped || truncated;
      for (const stream of ['stdout', 'stderr'] as const) {
        const rest = carry[stream];
        if (!ours || !isText[stream]) push(stream, rest);
        else if (rest.length > 0) {
          keptBytes -= rest.length;
          truncated = true;
        }
        carry[stream] = Buffer.alloc(0);
      }
      void flushed();
      return { truncated };
    },

    /** The run is over. `rest` is not yet written: the caller writes it with the run's end. */
    async end(): Promise<{ keptBytes: number; rest: NewEvent[] }> {
      ending = true;
      pause.resolve();
      await flushing;
      return { keptBytes, rest: lost ? [] : pending };
    },
  };
}
