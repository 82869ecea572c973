import { Problem } from './problems.ts';

/**
 * The ways in which a run is lost with its worker. The texts are shown to the run's user:
 *
 *   silent        the worker sent no sign of life any more; the gateway found this
 *   claimed       a worker takes the run and finds that an earlier worker had it, and that no attempt is left
 *   in_service    the same for a program inside a service
 *   launcher      the process beside the worker that starts its sandboxes ended, and they with it
 *   shut_down     the worker itself was stopped, and did not wait for the end of the run
 */
const details = {
  silent:
    'The worker that had this run stopped without a word. Send it again, or set `retries` so that it is tried again by itself.',
  claimed: 'The worker was lost while the program may have been running: run it again, or set retries.',
  in_service: 'The worker was lost while the program ran: run it again.',
  launcher: 'The sandboxes of the worker were lost while the run was going on: run it again, or set retries.',
  shut_down: 'The worker was shut down while the run was going on: run it again.',
} as const;

export type Loss = keyof typeof details;

export const workerLost = (how: Loss): Problem => new Problem('worker_lost', details[how]);

/**
 * True if a run is tried again after this attempt was lost, when its program may have been started. claim-run.lua and requeue.lua,
 * which count the losses, contain the same rule.
 *
 * @param losses the number of attempts that were lost before this one
 */
export const mayTryAgain = (losses: number, retries: number): boolean => losses < retries;
