import { randomBytes } from 'node:crypto';
import type { Keys } from '../../shared/keys.ts';
import type { Wakeups } from '../../shared/wakeups.ts';
import { parseRunEnd, type RunEnd } from './stores/run-end.ts';

/**
 * The ends of the runs that requests to this gateway wait for. One subscription for all of them, which stands before a run
 * is stored. One for each run, and asking for the run once it was heard of, is three round trips more: some 3 ms of a warm
 * answer's 24, on two cores that were at rest before. A message may be missed like any other of pub/sub: whoever waits also
 * looks by itself.
 */
export function createEndings(wakeups: Wakeups, keys: Keys) {
  const channel = keys.ends(randomBytes(8).toString('hex'));
  /** As many as there are requests that wait. */
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

/** `undefined` for what cannot be read: whoever waits looks by itself. */
function endIn(message: Buffer): RunEnd | undefined {
  try {
    return parseRunEnd(message);
  } catch {
    return undefined;
  }
}
