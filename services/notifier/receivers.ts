import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhenResult,
} from 'cockatiel';
import { createLine, type GiveBack, type Line } from './line.ts';

/** What a try told of its receiver's health. `unwell`: no answer, or one that says so (5xx, 429). */
export type Health = { unwell: boolean };

/** `deferred`: not tried, come again after so many ms. */
export type Turn<T> = { done: T } | { deferredMs: number };

type Receiver = { line: Line; breaker: CircuitBreakerPolicy; usedAt: number };

/** So many failures in a row, and the receiver is left alone for a while; a single try then decides. */
const failuresToBreak = 10;
const shortestBreakMs = 5_000;
const longestBreakMs = 300_000;
/** What is remembered of receivers nobody delivers to any more, and of how many at the most. */
const forgottenAfterMs = 6 * 3_600_000;
const maxReceivers = 10_000;

/**
 * The receivers of this notifier. One that is slow, or dead, takes a few places and no more: what else is due for it is put off to
 * about the time when its turn comes, and while its circuit is broken nothing is sent at all. Many that are slow, or of which nothing
 * is known yet, share three quarters of all places: the rest is for those that have answered, and soon. A quarter of all may be such
 * as wait for a place of a receiver that answers at once.
 *
 * @param options.places deliveries in hand at once
 * @param options.maxActive tries of these that one receiver gets at once
 * @param options.call brings forward one that was deferred
 */
export function createReceivers(options: {
  places: number;
  maxActive: number;
  call: (id: string) => void;
  now?: () => number;
}) {
  const now = options.now ?? Date.now;
  const quarter = Math.floor(options.places / 4);
  const room = { free: quarter };
  // In order of use: the first was used longest ago.
  const receivers = new Map<string, Receiver>();
  const strangers = createLine(options.places - quarter, room, now);

  function receiverFor(key: string): Receiver {
    const receiver = receivers.get(key) ?? {
      line: createLine(options.maxActive, room, now),
      breaker: newBreaker(),
      usedAt: 0,
    };
    receiver.usedAt = now();
    receivers.delete(key);
    receivers.set(key, receiver);
    if (receivers.size > maxReceivers) evict();
    return receiver;
  }

  /** Those that nobody delivered to for long, and the oldest where there are too many. */
  function evict(): void {
    const before = now() - forgottenAfterMs;
    for (const [key, { line, usedAt }] of receivers) {
      if (usedAt >= before && receivers.size <= maxReceivers) break;
      if (line.taken() === 0) receivers.delete(key);
    }
  }

  return {
    /** How long a new delivery had better wait before it asks for its turn. */
    expectedWaitMs: (key: string, id: string): number => receiverFor(key).line.expect(id),

    /** @param id of the delivery; it is known again when it comes after it was deferred */
    async turn<T extends Health>(key: string, id: string, act: () => Promise<T>): Promise<Turn<T>> {
      const { line, breaker } = receiverFor(key);
      line.cameBack(id);
      strangers.cameBack(id);
      // Another one is trying whether it is well again: nobody waits in a place for the outcome.
      const isTested = () => breaker.state === CircuitState.HalfOpen;
      if (isTested()) return { deferredMs: line.putOffFor(id, shortestBreakMs) };
      const places: GiveBack[] = [];
      let tried = false;
      try {
        for (const one of line.quick() ? [line] : [line, strangers]) {
          const place = await one.enter();
          if (place === undefined) return { deferredMs: one.putOff(id) };
          places.push(place);
        }
        if (isTested()) return { deferredMs: line.putOffFor(id, shortestBreakMs) };
        const done = await breaker.execute(act);
        tried = true;
        return { done };
      } catch (error) {
        if (!(error instanceof BrokenCircuitError)) throw error;
        return { deferredMs: line.putOffFor(id, shortestBreakMs) };
      } finally {
        for (const giveBack of places) giveBack(tried);
        // Of no use while the circuit is broken: they would be deferred again.
        if (tried && breaker.state === CircuitState.Closed)
          for (const one of [line, strangers]) for (const next of one.call()) options.call(next);
      }
    },

    forgetIdle(): void {
      evict();
      for (const { line } of receivers.values()) line.forgetLate();
      strangers.forgetLate();
    },

    size: () => receivers.size,
  };
}

export type Receivers = ReturnType<typeof createReceivers>;

const newBreaker = () =>
  circuitBreaker(
    handleWhenResult((result) => (result as Health).unwell),
    {
      halfOpenAfter: new ExponentialBackoff({ initialDelay: shortestBreakMs, maxDelay: longestBreakMs }),
      breaker: new ConsecutiveBreaker(failuresToBreak),
    },
  );
