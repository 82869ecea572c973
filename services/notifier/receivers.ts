import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhenResult,
} from 'cockatiel';

/** What a try told of its receiver's health. `unwell`: no answer, or one that says so (5xx, 429). */
export type Health = { unwell: boolean };

/** `deferred`: not tried, come again after so many ms. */
export type Turn<T> = { done: T } | { deferredMs: number };

type Receiver = {
  active: number;
  /** Deliveries that were sent away and have not come again. */
  deferred: number;
  averageMs: number;
  usedAt: number;
  breaker: CircuitBreakerPolicy;
};

/** So many failures in a row, and the receiver is left alone for a while; a single try then decides. */
const failuresToBreak = 10;
const shortestBreakMs = 5_000;
const longestBreakMs = 300_000;
/** What is remembered of receivers nobody delivers to any more, and of how many at the most. */
const forgottenAfterMs = 900_000;
const mostReceivers = 10_000;
const longestDeferMs = 30_000;

/**
 * The receivers of this notifier. One that is slow, or dead, takes a few places and no more: what else is due for it is put off to
 * about the time when its turn comes, and while its circuit is broken nothing is sent at all.
 */
export function createReceivers(options: { mostActive: number; now?: () => number }) {
  const now = options.now ?? Date.now;
  const receivers = new Map<string, Receiver>();

  function receiverFor(key: string): Receiver {
    const found = receivers.get(key);
    if (found !== undefined) return found;
    if (receivers.size >= mostReceivers) forgetIdle();
    const receiver: Receiver = {
      active: 0,
      deferred: 0,
      averageMs: 100,
      usedAt: now(),
      breaker: circuitBreaker(
        handleWhenResult((result) => (result as Health).unwell),
        {
          halfOpenAfter: new ExponentialBackoff({ initialDelay: shortestBreakMs, maxDelay: longestBreakMs }),
          breaker: new ConsecutiveBreaker(failuresToBreak),
        },
      ),
    };
    receivers.set(key, receiver);
    return receiver;
  }

  function forgetIdle(): void {
    const before = now() - forgottenAfterMs;
    for (const [key, { active, usedAt }] of receivers)
      if (active === 0 && (usedAt < before || receivers.size >= mostReceivers)) receivers.delete(key);
  }

  const deferral = (receiver: Receiver) => {
    const ahead = Math.ceil((receiver.deferred + 1) / options.mostActive);
    return Math.min(longestDeferMs, 50 + ahead * receiver.averageMs * (0.75 + 0.5 * Math.random()));
  };

  return {
    /** How long a new delivery had better wait before it asks for its turn. */
    expectedWaitMs(key: string): number {
      const receiver = receivers.get(key);
      if (receiver === undefined || receiver.active < options.mostActive) return 0;
      receiver.deferred += 1;
      return Math.round(deferral(receiver));
    },

    /** @param again whether it was deferred before */
    async turn<T extends Health>(key: string, again: boolean, act: () => Promise<T>): Promise<Turn<T>> {
      const receiver = receiverFor(key);
      receiver.usedAt = now();
      if (again && receiver.deferred > 0) receiver.deferred -= 1;
      if (receiver.active >= options.mostActive) {
        receiver.deferred += 1;
        return { deferredMs: Math.round(deferral(receiver)) };
      }
      receiver.active += 1;
      const began = now();
      try {
        const done = await receiver.breaker.execute(act);
        receiver.averageMs = receiver.averageMs * 0.8 + (now() - began) * 0.2;
        return { done };
      } catch (error) {
        if (!(error instanceof BrokenCircuitError)) throw error;
        receiver.deferred += 1;
        return { deferredMs: Math.round(shortestBreakMs * (0.5 + Math.random())) };
      } finally {
        receiver.active -= 1;
        receiver.usedAt = now();
      }
    },

    forgetIdle,
    size: () => receivers.size,
  };
}

export type Receivers = ReturnType<typeof createReceivers>;
