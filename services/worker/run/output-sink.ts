import { isUtf8 } from 'node:buffer';
import type { NewEvent } from '../../../shared/stores/runs.ts';
import { incompleteTail, wholeCharacters } from '../../../shared/utf8.ts';
import type { OutputChunk } from '../engine/streams.ts';

/** One entry of the run's stream holds so much output at the most. */
const entryBytes = 64 * 1024;
/** So much may wait for Redis; then the program waits. This bounds the worker's memory, whatever is written. */
const pendingMost = 4 * entryBytes;

/**
 * A program that writes byte by byte must not fill Redis with entries: the more it has written, the longer small
 * writes are gathered. Large ones go at once. At the last step, a day of dribbling makes under a million entries. The
 * first moments are waited for because a program that only speaks and ends then costs one write, its end included.
 */
const gathering = [
  { afterEntries: 200, ms: 2 },
  { afterEntries: 2_000, ms: 10 },
  { afterEntries: Number.POSITIVE_INFINITY, ms: 100 },
] as const;

type Pending = { type: 'stdout' | 'stderr'; step: string; data: Buffer };

export type OutputSink = ReturnType<typeof createOutputSink>;

/**
 * Takes a run's output in order, step by step, keeps exactly the first bytes of each step up to its limit and to what is left of the
 * run's, and writes it to the run's stream: one write on its way at a time, what comes meanwhile goes with the next.
 */
export function createOutputSink(options: {
  /** Of all steps together: a run may have a thousand of them, each with a limit of its own. */
  maxBytes: number;
  append: (entries: NewEvent[]) => Promise<boolean>;
  onLost: () => void;
}) {
  const carry = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  /** Whether all that the step has written there up to the carry is text. */
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
      // A copy: a slice would hold the whole buffer that it was read into.
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
      // What is left at the end goes with the run's end.
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
    // What came while the last write was on its way is written before this resolves.
    while ((pending.length > 0 && !ending) || flushing !== undefined) {
      flushing ??= flush().finally(() => {
        flushing = undefined;
      });
      await flushing;
    }
  };

  return {
    /** What comes from now on is this step's; `whenFull` is called once when there is more of it than `limitBytes`, or than is left of the run’s. */
    begin(name: string, limitBytes: number, whenFull: () => void): void {
      step = name;
      room = Math.min(limitBytes, options.maxBytes - keptBytes);
      truncated = false;
      isText.stdout = true;
      isText.stderr = true;
      onLimit = whenFull;
    },

    /** Resolves when there is room for more. */
    async accept(chunk: OutputChunk): Promise<void> {
      if (truncated || chunk.data.length === 0) return;
      const cut = chunk.data.length > room;
      const kept = cut ? chunk.data.subarray(0, room) : chunk.data;
      room -= kept.length;
      keptBytes += kept.length;
      const whole = carry[chunk.stream].length > 0 ? Buffer.concat([carry[chunk.stream], kept]) : kept;
      // A character that is not all there waits for the rest, so that events are text wherever the output is.
      const complete = whole.length - incompleteTail(whole);
      carry[chunk.stream] = Buffer.from(whole.subarray(complete));
      push(chunk.stream, whole.subarray(0, complete));
      if (cut) {
        truncated = true;
        onLimit();
      }
      const done = flushed();
      if (pendingBytes <= pendingMost) return;
      stalled = true;
      await done;
      stalled = false;
    },

    /** Whether it is Redis that is being waited for, not the program. */
    stalled: () => stalled,

    /**
     * The step is over; whether something of it was cut. Of text that was `stopped`, by a limit or by somebody, the beginning of a
     * character at its end is cut too: it is there because of us. What a program that ended by itself has written stays as it is,
     * and so does what is no text.
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

    /** The run is over: what is yet to be written, for the caller to write with its end. */
    async end(): Promise<{ keptBytes: number; rest: NewEvent[] }> {
      ending = true;
      pause.resolve();
      await flushing;
      return { keptBytes, rest: lost ? [] : pending };
    },
  };
}
