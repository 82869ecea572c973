import { setTimeout as sleep } from 'node:timers/promises';
import { isStoreError } from '../../../shared/store-errors.ts';
import type { Holder, NewEvent, RunStore } from '../../../shared/stores/runs.ts';
import { createOutputSink, type OutputSink } from './output-sink.ts';
import type { Stop } from './run-stop.ts';

/** Redis refuses writes for a while (it is full, it is loading): output waits, and the program with it. */
const appendAgainMs = 500;

export type StoredOutput = {
  sink: OutputSink;
  /** Why output could not be written, where Redis being away is not the reason. */
  fault(): unknown;
  /** No more comes. `last` is yet to be written, with the run's end. */
  end(): Promise<{ keptBytes: number; last: { sequence: string; entries: NewEvent[] } }>;
};

/** Writes the output of an attempt to the run's stream, each entry once: its number tells Redis which it has. */
export function storeOutput(
  runs: Pick<RunStore, 'append'>,
  holder: Holder,
  stop: Stop,
  maxBytes: number,
): StoredOutput {
  let written = 0;
  let fault: unknown;
  const append = async (entries: NewEvent[]): Promise<boolean> => {
    written += 1;
    const sequence = `o${written}`;
    for (;;) {
      try {
        return await runs.append(holder, sequence, entries);
      } catch (error) {
        if (!isStoreError(error)) fault ??= error;
        if (fault !== undefined || stop.cause() === 'lock_lost') return false;
        await sleep(appendAgainMs);
      }
    }
  };
  const sink = createOutputSink({ maxBytes, append, onLost: () => stop.stop('lock_lost') });
  return {
    sink,
    fault: () => fault,
    async end() {
      const { keptBytes, rest } = await sink.end();
      return { keptBytes, last: { sequence: `o${written + 1}`, entries: rest } };
    },
  };
}
