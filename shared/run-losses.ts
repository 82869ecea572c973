import { Problem } from './problems.ts';

/**
 * How a run is lost with its worker, and what its user is told:
 *
 *   silent        the worker was not heard of any more: found by the gateway
 *   claimed       the worker that takes the run finds that an earlier one had it, and that no attempt is left
 *   in_service    the same for a program inside of a service
 *   shut_down     the worker itself was stopped, and did not wait for the end of the run
 */
const details = {
  silent:
    'The worker that had this run stopped without a word. Send it again, or set `retries` so that it is tried again by itself.',
  claimed: 'The worker was lost while the program may have been running: run it again, or set retries.',
  in_service: 'The worker was lost while the program ran: run it again.',
  shut_down: 'The worker was shut down while the run was going on: run it again.',
} as const;

export type Loss = keyof typeof details;

export const workerLost = (how: Loss): Problem => new Problem('worker_lost', details[how]);

/**
 * Whether a run whose program may have been started is tried again, now that this attempt is lost. The same rule stands in claim.lua and
 * requeue.lua, which count the loss.
 *
 * @param losses the attempts that were lost before this one
 */
export const mayTryAgain = (losses: number, retries: number): boolean => losses < retries;
