import { Problem } from '../../../shared/problems.ts';
import type { StepLimit } from '../../../shared/run-states.ts';
import { compileStep, type RunHead } from '../../../shared/stores/run-record.ts';

/** A step that one of its limits ended. */
export type LimitedStep = {
  name: string;
  limit: StepLimit;
  wallMs: number;
  /** The limit was not its own but that of all steps together: what the run may leave in Redis. */
  byRun: boolean;
  /** It was ended for what the kernel held for it, which its memory limit does not count. */
  uncounted: boolean;
};

/** What the user is told where a limit ended the run: which limit, how large it was, what to do. Pure. */
export function limitProblem(
  { name, limit, wallMs, byRun, uncounted }: LimitedStep,
  {
    head,
    request: { limits, compileLimits },
  }: { head: Pick<RunHead, 'service'>; request: Pick<RunHead['request'], 'limits' | 'compileLimits'> },
  maxOutputBytes: number,
): Problem {
  const step = `The step ${name}`;
  const compiles = name === compileStep;
  /** The field that set this limit, and its value. */
  const set = (limit: keyof NonNullable<typeof compileLimits>) => {
    const own = compiles ? compileLimits?.[limit] : undefined;
    return {
      field: `${own === undefined ? 'limits' : 'compileLimits'}.${limit}`,
      most: own ?? limits[limit],
    };
  };
  switch (limit) {
    case 'wall': {
      const { field, most } = set('timeoutMs');
      return new Problem(
        'wall_limit',
        compiles && wallMs !== most
          ? `${step} took longer than a compiler may (${wallMs} ms, as limits.timeoutMs, ${limits.timeoutMs} ms, is less) and was stopped: compile less, or set limits.timeoutMs above that.`
          : `${step} took longer than ${field} (${most} ms) and was stopped: set it higher, or make the program faster.`,
      );
    }
    case 'cpu': {
      const { field, most } = set('cpuTimeMs');
      return new Problem(
        'cpu_limit',
        `${step} used more than ${field} (${most} ms of CPU time) and was stopped: set it higher, or make the program faster.`,
      );
    }
    case 'output': {
      const { field, most } = set('outputBytes');
      return new Problem(
        'output_limit',
        byRun
          ? `${step} was stopped, as all steps of the run together wrote more than they may (${maxOutputBytes} bytes, the operator’s RUNLET_MAX_OUTPUT_BYTES): let the program write less, or make several runs of it.`
          : `${step} wrote more than ${field} (${most} bytes) and was stopped; what came before is kept: set it higher, or write less, or to files that \`artifacts\` names.`,
      );
    }
    case 'memory': {
      const { field, most } = set('memoryBytes');
      if (uncounted)
        return new Problem(
          'kernel_memory_limit',
          `${step} had the kernel hold more for it, beside limits.memoryBytes, than any run may (messages and connections that it did not take from its sockets, datagrams that it did not finish, connections that were just closed, file locks, terminals) and was stopped: let the program take them, or close and release them.`,
        );
      return new Problem(
        'memory_limit',
        head.service === undefined
          ? `${step} needed more than ${field} (${most} bytes, for all of its processes and its files in memory) and was killed: set it higher, or use less.`
          : `${step} needed more memory than is left of its service’s limits.memoryBytes and was killed: set that higher, or use less.`,
      );
    }
    case 'disk':
      return new Problem(
        'disk_limit',
        `${step} wrote more than limits.diskBytes (${limits.diskBytes} bytes) to its root filesystem and was stopped: set it higher, or write less.`,
      );
    default:
      return limit satisfies never;
  }
}
