import { z } from 'zod';
import { limitBounds as bounds } from './bounds.ts';

/** The highest limits that a run may ask for. The operator sets them (see config.ts). */
export type LimitMaxima = {
  timeoutMs: number;
  memoryBytes: number;
  cpus: number;
  pids: number;
  outputBytes: number;
  diskBytes: number;
};

/** A whole number. A number out of range is refused; it is never changed to the nearest allowed one. */
const whole = (min: number, max: number) => z.int().min(min).max(max);

/** The timeout of a run whose request does not set one. */
export const usualTimeoutMs = bounds.timeoutMs.usual;
const besideCpuMs = 5_000;

/**
 * The smallest `timeoutMs` at which a busy program meets `cpuTimeMs` first. One process uses at most one CPU and shares it with
 * others, so this is twice the CPU time, plus some time in which nothing is computed. 0 if these limits hold no valid
 * `cpuTimeMs`.
 */
export function timeoutForCpu({ cpuTimeMs, cpus }: { cpuTimeMs?: unknown; cpus?: unknown }): number {
  if (typeof cpuTimeMs !== 'number' || !Number.isSafeInteger(cpuTimeMs) || cpuTimeMs < 1) return 0;
  const share = typeof cpus === 'number' && cpus > 0 ? Math.min(cpus, 0.5) : 0.5;
  return Math.ceil(cpuTimeMs / share) + besideCpuMs;
}

/** The limits of a compile step that its request sets apart from those of the programs. */
export type CompileLimits = z.infer<ReturnType<typeof compileLimitsSchema>>;

/**
 * The limits of the sandbox: it is made, and reserved, with the memory of the step that may have the most, and each step gets its
 * own.
 */
export const limitsOfSandbox = <L extends { memoryBytes: number }>({
  limits,
  compileLimits,
}: {
  limits: L;
  compileLimits?: CompileLimits | undefined;
}): L => ({ ...limits, memoryBytes: Math.max(limits.memoryBytes, compileLimits?.memoryBytes ?? 0) });

/** The maximum size of a stack. Only the memory limit bounds it, unless the request sets `stackBytes`. */
export const stackOf = ({
  memoryBytes,
  stackBytes,
}: {
  memoryBytes: number;
  stackBytes?: number | undefined;
}) => stackBytes ?? memoryBytes;

export function limitsSchema(max: LimitMaxima) {
  // A default is never higher than the operator's maximum.
  const withDefault = (min: number, most: number, fallback: number) =>
    whole(min, most).default(Math.min(fallback, most));
  return z
    .strictObject({
      timeoutMs: withDefault(bounds.timeoutMs.least, max.timeoutMs, usualTimeoutMs).meta({
        description:
          'Wall time in ms, from the program’s start; of each step by itself. A step `compile` has at least 30 s, and more where its language needs it. Where it is absent: 10 s, an interactive run has an hour; with `cpuTimeMs` as much as that takes, twice its time (at less than half a CPU the time that it takes on that) and 5 s, if that is more. Never above the operator’s RUNLET_MAX_TIMEOUT_MS.',
      }),
      cpuTimeMs: whole(bounds.cpuTimeMs.least, max.timeoutMs).nullable().default(null).meta({
        description:
          'CPU time in ms of all processes of a step together; looked at every 20 ms. Of each step by itself; a step `compile` has no such limit.',
      }),
      memoryBytes: withDefault(bounds.memoryBytes.least, max.memoryBytes, bounds.memoryBytes.usual).meta({
        description: 'Memory with swap; files in the work folder and /tmp count.',
      }),
      stackBytes: whole(bounds.stackBytes.least, max.memoryBytes).optional().meta({
        description:
          'How far the stack of a program may grow (`ulimit -s`): of its main thread, and by the C library’s default of each other. At most `memoryBytes`, which is what it is where it is absent. A runtime with a stack of its own (Java, Node.js, SBCL) is told it; where it is absent, that it has a sixteenth of the memory. gVisor has no more than 128 MiB.',
      }),
      cpus: z
        .number()
        .min(bounds.cpus.least)
        .max(max.cpus)
        .default(Math.min(bounds.cpus.usual, max.cpus))
        .meta({ description: 'CPUs, in fractions.' }),
      pids: withDefault(bounds.pids.least, max.pids, bounds.pids.usual).meta({
        description: 'Processes and threads at one time.',
      }),
      outputBytes: withDefault(bounds.outputBytes.least, max.outputBytes, bounds.outputBytes.usual).meta({
        description:
          'stdout and stderr together, of each step by itself: what comes after is cut, and the step ends as `output_limit`. Beside that, all steps of a run together keep at most the operator’s RUNLET_MAX_OUTPUT_BYTES.',
      }),
      diskBytes: withDefault(bounds.diskBytes.least, max.diskBytes, bounds.diskBytes.usual).meta({
        description:
          'Size of each writable folder: the work folder, /tmp, the image’s VOLUMEs, with what the image has in them.',
      }),
    })
    .meta({ id: 'Limits' });
}

export function compileLimitsSchema(max: LimitMaxima) {
  return z
    .strictObject({
      timeoutMs: whole(bounds.timeoutMs.least, max.timeoutMs).optional().meta({
        description:
          'Wall time in ms. Absent: `limits.timeoutMs`, at least 30 s, and more where the language needs it.',
      }),
      cpuTimeMs: whole(bounds.cpuTimeMs.least, max.timeoutMs)
        .nullable()
        .optional()
        .meta({ description: 'CPU time in ms of all its processes together. Absent: no such limit.' }),
      memoryBytes: whole(bounds.memoryBytes.least, max.memoryBytes).optional().meta({
        description:
          'Memory with swap; files in the work folder and /tmp count. Absent: `limits.memoryBytes`. The run waits for a worker that has room for the larger of the two. What the compiler leaves in files counts for the program: where that alone is more than `limits.memoryBytes`, the step `run` ends as `out_of_memory`. Not with `isolation` "gvisor", whose sandboxes keep their memory limit.',
      }),
      outputBytes: whole(bounds.outputBytes.least, max.outputBytes)
        .optional()
        .meta({ description: 'stdout and stderr together. Absent: `limits.outputBytes`.' }),
    })
    .meta({ id: 'CompileLimits' });
}
