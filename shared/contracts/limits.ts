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
          'Wall time in ms, from the program’s start; of each step by itself. An interactive run has an hour, unless it says otherwise.',
      }),
      cpuTimeMs: whole(1, max.timeoutMs)
        .nullable()
        .default(null)
        .meta({ description: 'CPU time of the program in ms; enforced in whole seconds, rounded up.' }),
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
          'stdout and stderr together; what comes after is cut and the run ends as `output_limit`.',
      }),
      diskBytes: withDefault(MiB, max.diskBytes, 64 * MiB).meta({
        description: 'Size of each writable folder: the work folder, /tmp, the image’s VOLUMEs.',
      }),
    })
    .meta({ id: 'Limits' });
}
