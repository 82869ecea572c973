import { Problem } from '../../../shared/problems.ts';
import { compileStep, type RunHead } from '../../../shared/stores/run-record.ts';
import type { LimitedStep } from './run-steps.ts';

/** What a run is told whose decisive step was ended by a limit: which, what it was, what to do. Pure. */
export function limitProblem(
  { name, limit, wallMs, byRun, uncounted }: LimitedStep,
  {
    head,
    request: { limits },
  }: { head: Pick<RunHead, 'service'>; request: Pick<RunHead['request'], 'limits'> },
  maxOutputBytes: number,
): Problem {
  const step = `The step ${name}`;
  switch (limit) {
    case 'wall':
      return new Problem(
        'wall_limit',
        name === compileStep && wallMs !== limits.timeoutMs
          ? `${step} took longer than a compiler may (${wallMs} ms, as limits.timeoutMs, ${limits.timeoutMs} ms, is less) and was stopped: compile less, or set limits.timeoutMs above that.`
          : `${step} took longer than limits.timeoutMs (${limits.timeoutMs} ms) and was stopped: set it higher, or make the program faster.`,
      );
    case 'cpu':
      return new Problem(
        'cpu_limit',
        `${step} used more than limits.cpuTimeMs (${limits.cpuTimeMs} ms of CPU time) and was stopped: set it higher, or make the program faster.`,
      );
    case 'output':
      return new Problem(
        'output_limit',
        byRun
          ? `${step} was stopped, as all steps of the run together wrote more than they may (${maxOutputBytes} bytes, the operator’s RUNLET_MAX_OUTPUT_BYTES): let the program write less, or make several runs of it.`
          : `${step} wrote more than limits.outputBytes (${limits.outputBytes} bytes) and was stopped; what came before is kept: set it higher, or write less, or to files that \`artifacts\` names.`,
      );
    case 'memory':
      if (uncounted)
        return new Problem(
          'kernel_memory_limit',
          `${step} had the kernel hold more for it, beside limits.memoryBytes, than any run may (messages and connections that it did not take from its sockets, datagrams that it did not finish, connections that were just closed, file locks, terminals) and was stopped: let the program take them, or close and release them.`,
        );
      return new Problem(
        'memory_limit',
        head.service === undefined
          ? `${step} needed more than limits.memoryBytes (${limits.memoryBytes} bytes, for all of its processes and its files in memory) and was killed: set it higher, or use less.`
          : `${step} needed more memory than is left of its service’s limits.memoryBytes and was killed: set that higher, or use less.`,
      );
    case 'disk':
      return new Problem(
        'disk_limit',
        `${step} wrote more than limits.diskBytes (${limits.diskBytes} bytes) to its root filesystem and was stopped: set it higher, or write less.`,
      );
    default:
      return limit satisfies never;
  }
}
