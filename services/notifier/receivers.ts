import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhenResult,
} from 'cockatiel';
import { createPlaces, type GiveBack, type Places } from './places.ts';

/** What a try told of its receiver's health. `unwell`: no answer, or one that says that it is (5xx, 429). */
export type Health = { unwell: boolean };

/** `deferred`: not tried, come again after so many ms. */
export type Turn<T> = { done: T } | { deferredMs: number };

type Receiver = { own: Places; breaker: CircuitBreakerPolicy; usedAt: number };

/** After so many failures in a row nothing is sent to a receiver for a while. Then a single try decides (a circuit breaker). */
const failuresToBreak = 10;
const minBreakMs = 5_000;
const maxBreakMs = 300_000;
/** How long a receiver is remembered that nothing is delivered to any more, and how many are at most. */
const forgottenAfterMs = 6 * 3_600_000;
const maxReceivers = 10_000;

/**
 * The receivers of this notifier. A receiver that is slow or dead takes a few places and no more. What else is due for it is deferred
 * to about the time when its turn comes. While its circuit is broken, nothing is sent to it at all.
 *
 * All receivers that are slow, or of which nothing is known yet, share three quarters of all places. The rest is for those that have
 * answered quickly. The deliveries that wait for a place of a very quick receiver are a quarter of all at most.
 *
 * @param options.places deliveries in hand at once
 * @param options.maxActive tries of these that one receiver gets at once
 * @param options.recall brings forward a delivery that was deferred
 */
export function createReceivers(options: {
  places: number;
  maxActive: number;
  recall: (id: string) => void;
  now?: () => number;
}) {
  const now = options.now ?? Date.now;
  const quarter = Math.floor(options.places / 4);
  const room = { free: quarter };
  // In order of use: the first was used longest ago.
  const receivers = new Map<string, Receiver>();
  const shared = createPlaces(options.places - quarter, room, now);

  function receiverFor(key: string): Receiver {
    const receiver = receivers.get(key) ?? {
      own: createPlaces(options.maxActive, room, now),
      breaker: newBreaker(),
      usedAt: 0,
    };
    receiver.usedAt = now();
    receivers.delete(key);
    receivers.set(key, receiver);
    if (receivers.size > maxReceivers) evict();
    return receiver;
  }

  /** Forgets those that nothing was delivered to for long, and the oldest where there are too many. */
  function evict(): void {
    const before = now() - forgottenAfterMs;
    for (const [key, { own, usedAt }] of receivers) {
      if (usedAt >= before && receivers.size <= maxReceivers) break;
      if (own.taken() === 0) receivers.delete(key);
    }
  }

  return {
    /** How long a new delivery should wait before it asks for its turn. */
    expectedWaitMs: (key: string, id: string): number => receiverFor(key).own.expect(id),

    /** @param id of the delivery; it is known again when it comes after it was deferred */
    async turn<T extends Health>(key: string, id: string, act: () => Promise<T>): Promise<Turn<T>> {
      const { own, breaker } = receiverFor(key);
      own.cameBack(id);
      shared.cameBack(id);
      // Another delivery is finding out whether the receiver is well again: none takes a place to wait for that.
      const isTested = () => breaker.state === CircuitState.HalfOpen;
      if (isTested()) return { deferredMs: own.deferFor(id, minBreakMs) };
      const places: GiveBack[] = [];
      let tried = false;
      try {
        for (const one of own.isQuick() ? [own] : [own, shared]) {
          const place = await one.enter();
          if (place === undefined) return { deferredMs: one.defer(id) };
          places.push(place);
        }
        if (isTested()) return { deferredMs: own.deferFor(id, minBreakMs) };
        const done = await breaker.execute(act);
        tried = true;
        return { done };
      } catch (error) {
        if (!(error instanceof BrokenCircuitError)) throw error;
        return { deferredMs: own.deferFor(id, minBreakMs) };
      } finally {
        for (const giveBack of places) giveBack(tried);
        // Not while the circuit is broken: they would only be deferred again.
        if (tried && breaker.state === CircuitState.Closed)
          for (const one of [own, shared]) for (const next of one.recall()) options.recall(next);
      }
    },

    forgetIdle(): void {
      evict();
      for (const { own } of receivers.values()) own.forgetLate();
      shared.forgetLate();
    },

    size: () => receivers.size,
  };
}

export type Receivers = ReturnType<typeof createReceivers>;

const newBreaker = () =>
  circuitBreaker(
    handleWhenResult((result) => (result as Health).unwell),
    {
      halfOpenAfter: new ExponentialBackoff({ initialDelay: minBreakMs, maxDelay: maxBreakMs }),
      breaker: new ConsecutiveBreaker(failuresToBreak),
    },
  );
