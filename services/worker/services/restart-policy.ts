import type { ServiceRequest } from '../../../shared/contracts/service.ts';

/** What follows when a service ended by itself. */
export type Next = { again: false } | { again: true; waitMs: number; looping: boolean };

/** One that ran so long was well: what comes then is a new story. */
const wellMs = 60_000;
const firstWaitMs = 500;
const longestWaitMs = 60_000;
/** So many ends in a row are no accident any more. */
const loopAfter = 3;

/** The restart policy with its memory: waits grow from one crash to the next. */
export function createRestartPolicy(policy: ServiceRequest['restart']) {
  let inARow = 0;
  /** Whether nothing follows such an end of its own. */
  const settles = (exitCode: number) => policy === 'never' || (policy === 'on-failure' && exitCode === 0);
  return {
    settles,
    ended(exitCode: number, ranMs: number): Next {
      if (ranMs >= wellMs) inARow = 0;
      inARow += 1;
      if (settles(exitCode)) return { again: false };
      const waitMs = Math.min(longestWaitMs, firstWaitMs * 2 ** (inARow - 1));
      return { again: true, waitMs, looping: inARow >= loopAfter };
    },
    /** The engine was stopped, and it with it: no crash, however often. */
    endedWithEngine(): Next {
      return policy === 'never' ? { again: false } : { again: true, waitMs: firstWaitMs, looping: false };
    },
    /** Somebody asked for a fresh start. */
    forget(): void {
      inARow = 0;
    },
  };
}
