import type { ServiceRequest } from '../../../shared/contracts/service.ts';

/** What follows when a service ended by itself. */
export type Next = { again: false } | { again: true; waitMs: number; looping: boolean };

/** How it ended: by itself after so long, or because its engine was stopped. */
export type End = { withEngine: true } | { withEngine: false; exitCode: number; ranMs: number };

/** A service that ran for so long was healthy: the count of crashes in a row begins again. */
const healthyMs = 60_000;
const firstWaitMs = 500;
const maxWaitMs = 60_000;
/** From so many crashes in a row on it is said to be looping. */
const loopingFrom = 3;

/** Whether the policy starts nothing after the program has ended with this code. */
export function endsForGood(policy: ServiceRequest['restart'], exitCode: number): boolean {
  return policy === 'never' || (policy === 'on-failure' && exitCode === 0);
}

/**
 * What the policy wants after an end, and how many ends there were in a row by then: the wait doubles with each. An engine that was
 * stopped is no crash of the service, however often it happens. Pure.
 */
export function afterEnd(
  policy: ServiceRequest['restart'],
  endsInARow: number,
  end: End,
): { next: Next; endsInARow: number } {
  if (end.withEngine) {
    const next: Next =
      policy === 'never' ? { again: false } : { again: true, waitMs: firstWaitMs, looping: false };
    return { next, endsInARow };
  }
  const count = end.ranMs >= healthyMs ? 1 : endsInARow + 1;
  if (endsForGood(policy, end.exitCode)) return { next: { again: false }, endsInARow: count };
  const waitMs = Math.min(maxWaitMs, firstWaitMs * 2 ** (count - 1));
  return { next: { again: true, waitMs, looping: count >= loopingFrom }, endsInARow: count };
}
