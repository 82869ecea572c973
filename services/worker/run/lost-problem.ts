import { Problem } from '../../../shared/problems.ts';

/** How a worker, and with it the attempt at a run, was lost. */
export type Loss = 'died' | 'died_with_service_exec' | 'shut_down';

const messages: Record<Loss, string> = {
  died: 'The worker was lost while the program may have been running: run it again, or set retries.',
  died_with_service_exec: 'The worker was lost while the program ran: run it again.',
  shut_down: 'The worker was shut down while the run was going on: run it again.',
};

/** What the user of a run is told whose worker was lost. The worker says it nowhere else. */
export const lostProblem = (loss: Loss): Problem => new Problem('worker_lost', messages[loss]);
