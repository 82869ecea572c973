import type { RunPolicy } from '../../../../shared/contracts/run-request.ts';

/**
 * The numbers that a submission may set, under Judge0's names: times in seconds, sizes in KB. Its defaults and bounds are those of Judge0
 * 1.13.1; no bound is higher than the operator's own.
 */
export type Bound = {
  whole: boolean;
  /** `above`: not the number itself. */
  least: number;
  above?: boolean;
  most: number;
  usual: number;
};

export const numberNames = [
  'number_of_runs',
  'cpu_time_limit',
  'cpu_extra_time',
  'wall_time_limit',
  'memory_limit',
  'stack_limit',
  'max_processes_and_or_threads',
  'max_file_size',
] as const;
export type NumberName = (typeof numberNames)[number];

const KB = 1024;

export function boundsFor({ limits }: RunPolicy): Record<NumberName, Bound> {
  const seconds = limits.timeoutMs / 1000;
  const whole = (usual: number, least: number, most: number, own = most): Bound => ({
    whole: true,
    least,
    most: Math.min(most, Math.floor(own)),
    usual: Math.min(usual, Math.floor(own)),
  });
  const time = (usual: number, least: number, most: number): Bound => ({
    whole: false,
    least: Math.min(least, seconds),
    most: Math.min(most, seconds),
    usual: Math.min(usual, seconds),
  });
  return {
    number_of_runs: { ...whole(1, 0, 20), above: true },
    cpu_time_limit: time(5, 0, 15),
    cpu_extra_time: time(1, 0, 5),
    wall_time_limit: time(10, 1, 20),
    memory_limit: whole(128_000, 2048, 512_000, limits.memoryBytes / KB),
    stack_limit: whole(64_000, 0, 128_000, limits.memoryBytes / KB),
    max_processes_and_or_threads: whole(60, 1, 120, limits.pids),
    max_file_size: whole(1024, 0, 4096, limits.outputBytes / KB),
  };
}

/** The most bytes of a zip's files, in KB, and how many. */
export const maxExtractKb = 10_240;
export const maxExtractFiles = 900;
export const maxBatch = 20;
export const maxLineLength = 512;

/** What a submission has beside its texts, under Judge0's names and in its units. It is kept with the run, to be shown again. */
export type Settings = Record<NumberName, number> & {
  language_id: number;
  enable_per_process_and_thread_time_limit: boolean;
  enable_per_process_and_thread_memory_limit: boolean;
  redirect_stderr_to_stdout: boolean;
  enable_network: boolean;
  compiler_options: string | null;
  command_line_arguments: string | null;
  /** The zip, in base64. */
  additional_files: string | null;
};
