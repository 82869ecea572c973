import { Problem } from '../../../shared/problems.ts';

const details = {
  claimed: 'The worker was lost while the program may have been running: run it again, or set retries.',
  in_service: 'The worker was lost while the program ran: run it again.',
  shut_down: 'The worker was shut down while the run was going on: run it again.',
} as const;

/**
 * How an attempt was lost with its worker:
 *
 *   claimed       the worker that takes the run finds that an earlier one had it, and that no attempt is left
 *   in_service    the same for a program inside of a service
 *   shut_down     the worker itself was stopped, and did not wait for the end of the run
 */
export type Loss = keyof typeof details;

/** What the user of such a run is told. The worker says it nowhere else. */
export const lostProblem = (how: Loss): Problem => new Problem('worker_lost', details[how]);
