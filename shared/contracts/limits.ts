import { z } from 'zod';

const KiB = 1024;
const MiB = 1024 * KiB;

/** The most that a run may ask for: the operator's word (see config.ts). */
export type LimitMaxima = {
  timeoutMs: number;
  memoryBytes: number;
  cpus: number;
  pids: number;
  outputBytes: number;
  diskBytes: number;
};

/** A whole number; numbers out of range are refused, never clamped. */
const whole = (min: number, max: number) => z.int().min(min).max(max);

export function limitsSchema(max: LimitMaxima) {
  // A default never lies above the operator's maximum.
  const withDefault = (min: number, most: number, fallback: number) =>
    whole(min, most).default(Math.min(fallback, most));
  return z
    .strictObject({
      timeoutMs: withDefault(1, max.timeoutMs, 10_000).meta({
        description:
          'Wall time in ms, from the program’s start; of each step by itself. A step `compile` has at least 30 s, and more where its language needs it. An interactive run has an hour, unless it says otherwise.',
      }),
      cpuTimeMs: whole(1, max.timeoutMs).nullable().default(null).meta({
        description:
          'CPU time in ms of all processes of a step together; looked at every 20 ms. Of each step by itself; a step `compile` has no such limit.',
      }),
      memoryBytes: withDefault(8 * MiB, max.memoryBytes, 256 * MiB).meta({
        description: 'Memory with swap; files in the work folder and /tmp count.',
      }),
      cpus: z
        .number()
        .min(0.05)
        .max(max.cpus)
        .default(Math.min(1, max.cpus))
        .meta({ description: 'CPUs, in fractions.' }),
      pids: withDefault(1, max.pids, 64).meta({ description: 'Processes and threads at one time.' }),
      outputBytes: withDefault(1, max.outputBytes, MiB).meta({
        description:
          'stdout and stderr together, of each step by itself: what comes after is cut, and the step ends as `output_limit`. Beside that, all steps of a run together keep at most the operator’s RUNLET_MAX_OUTPUT_BYTES.',
      }),
      diskBytes: withDefault(MiB, max.diskBytes, 64 * MiB).meta({
        description:
          'Size of each writable folder: the work folder, /tmp, the image’s VOLUMEs, with what the image has in them.',
      }),
    })
    .meta({ id: 'Limits' });
}
