import { z } from 'zod';
import { runStatuses } from '../run-states.ts';
import { problemOrNull } from './problem.ts';

/** The events of a run, as streams send them: the data of each has its type inside. */

/** The progress of one layer of an image that is being pulled. */
export const pullLayer = z.object({
  id: z.string(),
  status: z.enum(['waiting', 'downloading', 'extracting', 'done']),
  currentBytes: z.number(),
  totalBytes: z.number(),
});

const id = z
  .string()
  .optional()
  .meta({ description: 'Only over the WebSocket: a server-sent event has it beside its data.' });

export const statusEvent = z
  .object({
    type: z.literal('status'),
    id,
    status: z.enum(runStatuses),
    attempt: z.int(),
    at: z.string(),
  })
  .meta({ id: 'StatusEvent', description: 'The run has another status.' });

const pullFields = {
  reference: z.string(),
  status: z.enum(['pulling', 'done']),
  layers: z.array(pullLayer),
};

/** How far the pull of an image is. */
export const pullState = z
  .object(pullFields)
  .meta({ id: 'PullState', description: 'The whole state of a pull.' });

/** Each event holds the whole state of the pull, so a client that missed one event has lost nothing. */
export const pullEvent = z
  .object({ type: z.literal('pull'), id, ...pullFields })
  .meta({ id: 'PullEvent', description: 'The whole state of the pull of its image.' });

export const outputEvent = z
  .object({
    type: z.enum(['stdout', 'stderr']),
    id,
    data: z.string(),
    encoding: z.enum(['utf8', 'base64']),
    step: z.string().optional().meta({ description: 'The step that wrote it, where that is not `run`.' }),
  })
  .meta({
    id: 'OutputEvent',
    description:
      'A piece of what it wrote. An empty one says that the program of an interactive run, which was compiled before, has begun.',
  });

/** The last event of every run, however it ended. */
export const exitEvent = z
  .object({
    type: z.literal('exit'),
    id,
    status: z.enum(runStatuses),
    exitCode: z.int().nullable(),
    signal: z.string().nullable(),
    attempt: z.int(),
    outputTruncated: z.boolean(),
    error: problemOrNull,
    finishedAt: z.string(),
  })
  .meta({ id: 'ExitEvent', description: 'How the run ended: the last event.' });

/** What is stored of an event, and what a client needs of its data: type and id stand beside it. */
type DataOf<Event extends z.ZodType> = Omit<z.infer<Event>, 'type' | 'id'>;

export type PullLayer = z.infer<typeof pullLayer>;
export type StatusEvent = DataOf<typeof statusEvent>;
export type PullEvent = DataOf<typeof pullEvent>;
export type OutputEvent = DataOf<typeof outputEvent>;
export type ExitEvent = DataOf<typeof exitEvent>;

export const runEventTypes = ['status', 'pull', 'stdout', 'stderr', 'exit'] as const;
export type RunEventType = (typeof runEventTypes)[number];
