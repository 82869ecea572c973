/** The limits of a program that its command line tells to its runtime. */
export type RuntimeLimits = { memoryBytes: number; stackBytes?: number | undefined };

/** The largest stack that Java accepts (`-Xss`). It is enough for every program. */
const stackMost = 1024 ** 3;
const units = { KiB: 1024, MiB: 1024 ** 2 } as const;
const placeholder = /\{(memory|stack)(KiB|MiB)(?::(\d{1,2})%)?\}/g;

/**
 * Fills in `{memoryMiB}`, `{stackKiB}` and the like; `:80%` at the end means that part of it. The result is in whole units, at
 * least 1. The stack is the request's, or else a sixteenth of the memory. If a program recurses too deeply, its runtime first
 * uses up the whole stack that it was told of, and only then reports the error. For a StackOverflowError, Java needs six times
 * as much memory in addition to a stack of 64 MiB (measured: 470 MiB of a limit of 512; 125 with a stack of 16).
 */
export function withSizes(
  word: string,
  { memoryBytes, stackBytes = memoryBytes / 16 }: RuntimeLimits,
): string {
  const bytes = { memory: memoryBytes, stack: Math.min(stackBytes, stackMost) };
  return word.replace(placeholder, (_, what: keyof typeof bytes, unit: keyof typeof units, percent = '100') =>
    String(Math.max(1, Math.floor((bytes[what] * Number(percent)) / 100 / units[unit]))),
  );
}
