import { type Keys, runQueueName } from '../keys.ts';
import type { RunOutline } from './run-record.ts';

/**
 * The queue of runs is BullMQ's: it delays jobs, finds those whose worker was lost, and counts. What happens to each run (its job is added,
 * is taken, has ended) is written by our own scripts in the same step as the run, in the way of bullmq 6.7.0 (package.json names exactly
 * that version; run-jobs.test.ts compares). BullMQ's own scripts for that are three more, with some 45 commands and an event stream
 * that nobody reads.
 */
export const jobKeys = (keys: Keys) => {
  const key = (name: string) => `${keys.bull}:${runQueueName}:${name}`;
  return {
    job: key,
    lock: (id: string) => key(`${id}:lock`),
    wait: key('wait'),
    prioritized: key('prioritized'),
    delayed: key('delayed'),
    active: key('active'),
    stalled: key('stalled'),
    marker: key('marker'),
    /** Orders jobs of one priority. */
    counter: key('pc'),
  };
};

/** A job carries the run's id and outline, nothing of its program; its id is the run's. */
export type RunJobData = {
  id: string;
  /** Saves the worker a round trip; a job without it works as well. */
  outline?: RunOutline;
};

/** BullMQ: 1 is the first. The contract: 100 is the first. */
export const jobPriority = (priority: number): number => 1 + (100 - priority);

/** Removed at once when it has ended: so a job that exists will still be taken, on which the janitor relies. */
export const jobOptions = { attempts: 1, removeOnComplete: true, removeOnFail: true } as const;

export const jobName = 'run';
