/** What a program may have, as its command line is to tell its runtime. */
export type RuntimeLimits = { memoryBytes: number; stackBytes?: number | undefined };

/** The most that Java takes for a stack (`-Xss`), and enough for anybody. */
const stackMost = 1024 ** 3;
const units = { KiB: 1024, MiB: 1024 ** 2 } as const;
const placeholder = /\{(memory|stack)(KiB|MiB)(?::(\d{1,2})%)?\}/g;

/**
 * Fills in `{memoryMiB}`, `{stackKiB}` and the like, with `:80%` behind it so much of it; whole units, 1 at least. The stack is the
 * request's, or a sixteenth of the memory: what a runtime is told of its stack it uses up, where a program goes deeper and deeper,
 * before it says so in its own words. Java takes six times as much beside it for a StackOverflowError that has unwound 64 MiB (measured:
 * 470 MiB of a limit of 512; 125 with 16).
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
