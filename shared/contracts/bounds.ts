/**
 * The bounds of a request's numbers that hold on every server, and the defaults. The schemas are made from them, and the command
 * line checks its options by them. So this file imports nothing: loading zod would take as long as a short command. An operator's
 * own maxima may be lower (config.ts).
 */
const KiB = 1024;
const MiB = 1024 * KiB;
const dayMs = 86_400_000;

type Bounds = { least: number; most: number };

export const limitBounds = {
  timeoutMs: { least: 1, most: dayMs, usual: 10_000 },
  cpuTimeMs: { least: 1, most: dayMs },
  memoryBytes: { least: 8 * MiB, most: 2 ** 50, usual: 256 * MiB },
  stackBytes: { least: 64 * KiB, most: 2 ** 50 },
  cpus: { least: 0.05, most: 1024, usual: 1 },
  pids: { least: 1, most: 1_000_000, usual: 64 },
  outputBytes: { least: 1, most: 256 * MiB, usual: MiB },
  diskBytes: { least: MiB, most: 2 ** 50, usual: 64 * MiB },
} as const satisfies Record<string, Bounds & { usual?: number }>;

export const runBounds = {
  priority: { least: 0, most: 100 },
  delayMs: { least: 0, most: 7 * dayMs },
  retries: { least: 0, most: 10 },
} as const satisfies Record<string, Bounds>;
