import { z } from 'zod';
import { runStatuses } from '../run-states.ts';
import { problemBody } from './problem.ts';

/** The progress of one layer of an image that is being pulled. */
export const pullLayer = z.object({
  id: z.string(),
  status: z.enum(['waiting', 'downloading', 'extracting', 'done']),
  currentBytes: z.number(),
  totalBytes: z.number(),
});

export const statusEvent = z.object({
  status: z.enum(runStatuses),
  attempt: z.int(),
  at: z.string(),
});

/** Each event holds the whole state of the pull, so a client that missed one event has lost nothing. */
export const pullEvent = z.object({
  reference: z.string(),
  status: z.enum(['pulling', 'done']),
  layers: z.array(pullLayer),
});

export const outputEvent = z.object({
  data: z.string(),
  encoding: z.enum(['utf8', 'base64']),
  step: z.string().optional().meta({ description: 'The step that wrote it, where that is not `run`.' }),
});

/** The last event of every run, however it ended. */
export const exitEvent = z.object({
  status: z.enum(runStatuses),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  attempt: z.int(),
  outputTruncated: z.boolean(),
  error: problemBody.nullable(),
  finishedAt: z.string(),
});

export type PullLayer = z.infer<typeof pullLayer>;
export type StatusEvent = z.infer<typeof statusEvent>;
export type PullEvent = z.infer<typeof pullEvent>;
export type OutputEvent = z.infer<typeof outputEvent>;
export type ExitEvent = z.infer<typeof exitEvent>;

export const runEventTypes = ['status', 'pull', 'stdout', 'stderr', 'exit'] as const;
export type RunEventType = (typeof runEventTypes)[number];
