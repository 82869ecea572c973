import { limitBounds } from '../../../../shared/contracts/bounds.ts';
import type { LimitMaxima } from '../../../../shared/contracts/limits.ts';
import { Problem } from '../../../../shared/problems.ts';
import type { Fields } from './body.ts';

/** The limits of a request. */
export type Limits = {
  /** As a run of ours has them. */
  own: { timeoutMs: number; cpuTimeMs?: number; memoryBytes?: number };
  /** Those of the compile step that the request names; Piston's own default of 10 s is too short for some compilers here. */
  compile: { timeoutMs?: number; cpuTimeMs?: number; memoryBytes?: number };
};

/** Piston's default. */
const usualRunMs = 3_000;

/** Throws a Problem in Piston's words for a number that is none, or out of the operator's bounds. */
export function limitsIn(fields: Fields, max: LimitMaxima): Limits {
  const number = (name: string, least: number, most: number) => {
    const value = fields[name];
    // As in Piston: 0 and null are as if it was not there.
    if (!value) return undefined;
    if (typeof value !== 'number') throw refuse(`If specified, ${name} must be a number`);
    if (value > most) throw refuse(`${name} cannot exceed the configured limit of ${most}`);
    // -1 is "no limit of mine".
    if (value === -1) return undefined;
    if (value < 0) throw refuse(`${name} must be non-negative`);
    if (value < least) throw refuse(`${name} cannot be less than ${least}`);
    return Math.ceil(value);
  };
  const memory = (name: string) => number(name, limitBounds.memoryBytes.least, max.memoryBytes);
  const time = (name: string) => number(name, 0, max.timeoutMs);

  // In Piston's order, which is that of its messages.
  const compileMemory = memory('compile_memory_limit');
  const memoryBytes = memory('run_memory_limit');
  const compileMs = time('compile_timeout');
  const runMs = time('run_timeout') ?? Math.min(usualRunMs, max.timeoutMs);
  const compileCpuMs = time('compile_cpu_time');
  const cpuTimeMs = time('run_cpu_time');
  return {
    own: {
      timeoutMs: runMs,
      ...(cpuTimeMs !== undefined && { cpuTimeMs }),
      ...(memoryBytes !== undefined && { memoryBytes }),
    },
    compile: {
      ...(compileMs !== undefined && { timeoutMs: compileMs }),
      ...(compileCpuMs !== undefined && { cpuTimeMs: compileCpuMs }),
      ...(compileMemory !== undefined && { memoryBytes: compileMemory }),
    },
  };
}

const refuse = (message: string) => new Problem('validation_failed', message);
