import type { CpuTimes } from './cpu.ts';
import type { Tally } from './measure.ts';

/** A tally with CPU times in ms: what the machine used meanwhile, and by process where they are ours. */
export type Measured = Tally & {
  machineMs: number;
  cpu?: CpuTimes /** Of how many calls these are. */;
  cpuCalls: number;
};

/** Of two turns. */
export function together(a: Measured, b: Measured): Measured {
  return {
    calls: a.calls + b.calls,
    seconds: a.seconds + b.seconds,
    took: [...a.took, ...b.took],
    machineMs: a.machineMs + b.machineMs,
    ...(a.cpu && b.cpu && { cpu: sum(a.cpu, b.cpu) }),
    cpuCalls: a.cpuCalls + b.cpuCalls,
  };
}

function sum<T extends Record<string, number>>(a: T, b: T): T {
  return Object.fromEntries(Object.entries(a).map(([part, ms]) => [part, ms + (b[part] ?? 0)])) as T;
}
