import { randomBytes } from 'node:crypto';
import type { Keys } from '../../shared/keys.ts';
import type { Wakeups } from '../../shared/wakeups.ts';
import { parseRunEnd, type RunEnd } from './stores/run-end.ts';

/**
 * The ends of runs that requests to this gateway wait for. One subscription for all of them, which exists before a run
 * is stored. A subscription for each run, and reading the run after its message, would take three more round trips: some 3 ms of a warm
 * answer's 24, measured on two idle cores. A message over pub/sub may be missed: whoever waits also
 * looks by itself.
 */
export function createEndings(wakeups: Wakeups, keys: Keys) {
  const channel = keys.ends(randomBytes(8).toString('hex'));
  /** One entry for each request that waits. */
  const expected = new Map<string, (end: RunEnd) => void>();
  const listening = wakeups.listenBytes(channel, (message) => {
    const end = endIn(message);
    if (end !== undefined) expected.get(end.id)?.(end);
  });
  listening.catch(() => {});

  return {
    /** What a run is stored with so that its end is heard of here. */
    channel,

    expect(id: string): { end: Promise<RunEnd>; forget(): void } {
      const { promise, resolve } = Promise.withResolvers<RunEnd>();
      expected.set(id, resolve);
      return { end: promise, forget: () => expected.delete(id) };
    },
  };
}

/** `undefined` for a message that cannot be read: whoever waits also looks by itself. */
function endIn(message: Buffer): RunEnd | undefined {
  try {
    return parseRunEnd(message);
  } catch {
    return undefined;
  }
}
