import { z } from 'zod';
import { runStatuses, stepLimits } from '../run-states.ts';
import { difference, verdict } from './judging.ts';
import { problemOrNull } from './problem.ts';

const ms = z.number().nullable();
const time = z.iso.datetime({ precision: 3 });

/** `base64` if at least one byte is not valid UTF-8. So no byte is lost in either encoding. */
const encoding = z.enum(['utf8', 'base64']);

export const step = z
  .object({
    name: z.string().meta({ description: '`compile`, `run`, `run[2]`' }),
    status: z.enum(runStatuses),
    exitCode: z.int().nullable(),
    signal: z.string().nullable().meta({ description: 'As in `SIGKILL`.' }),
    limit: z.enum(stepLimits).nullable().meta({
      description:
        'Which limit ended it: `wall` (limits.timeoutMs), `cpu` (cpuTimeMs), `output` (outputBytes), `memory` (memoryBytes: the kernel ended one of its processes), `disk` (diskBytes, where `writable`). Null: none did. The run’s `error` says more of the one that decided the run.',
    }),
    stdout: z.string(),
    stderr: z.string(),
    stdoutEncoding: encoding.meta({ description: 'Of this step’s `stdout` alone.' }),
    stderrEncoding: encoding.meta({ description: 'Of this step’s `stderr` alone.' }),
    output: z.string().optional().meta({
      description:
        'Both streams in the order in which they came; only in answers about one run, with `?output=true` or where the request uses `mergeStderr`, `compileLimits` or `compilerOptions`. Without `mergeStderr` a program has a pipe for each, so the order of what it writes to both at nearly the same moment may be another.',
    }),
    outputEncoding: encoding.optional().meta({ description: 'Of this step’s `output`; there if that is.' }),
    wallMs: ms,
    cpuMs: ms.meta({ description: 'Of all its processes together.' }),
    maxMemoryBytes: z.number().nullable().meta({
      description:
        'The largest resident size that any one of its processes had; not their sum, which `limits.memoryBytes` is about.',
    }),
    verdict,
    difference,
  })
  .meta({ id: 'Step' });

export const run = z
  .object({
    id: z.string(),
    status: z.enum(runStatuses),
    exitCode: z.int().nullable(),
    signal: z.string().nullable(),
    stdout: z.string(),
    stderr: z.string(),
    outputEncoding: encoding.meta({
      description:
        'Of the run’s own `stdout` and `stderr`: `base64` as soon as one byte of the two is no valid UTF-8. Each step says its own.',
    }),
    outputTruncated: z.boolean().meta({
      description:
        'Some output is missing at its end: by a limit, or because a character was not all there when the program was stopped.',
    }),
    steps: z.array(step),
    image: z.object({ reference: z.string(), digest: z.string().nullable() }).nullable(),
    attempt: z.int().meta({ description: '0 until a worker took it.' }),
    worker: z.string().nullable(),
    timings: z.object({ queuedMs: ms, pullMs: ms, startMs: ms, runMs: ms, totalMs: ms }),
    startedWarm: z.boolean(),
    usage: z.object({
      cpuMs: ms.meta({ description: 'Of all steps together.' }),
      maxMemoryBytes: z
        .number()
        .nullable()
        .meta({ description: 'The largest of its steps’: of one process, not of all that ran at a time.' }),
    }),
    artifacts: z.array(z.object({ path: z.string(), sizeBytes: z.int(), sha256: z.string() })),
    error: problemOrNull,
    createdAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
    metadata: z.record(z.string(), z.string()),
    request: z.record(z.string(), z.unknown()).meta({ description: 'The request, secrets masked.' }),
  })
  .meta({ id: 'Run' });

export type Run = z.infer<typeof run>;
export type Step = z.infer<typeof step>;
