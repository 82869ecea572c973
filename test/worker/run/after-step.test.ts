import { describe, expect, test } from 'vitest';
import { afterLoss, afterStep, type StepFacts } from '../../../services/worker/run/after-step.ts';
import { limitProblem } from '../../../services/worker/run/limit-problem.ts';
import type { StopCause } from '../../../services/worker/run/run-stop.ts';
import { Problem } from '../../../shared/problems.ts';

const exited = (exitCode: number) => ({ cause: 'exited' as const, exitCode, signal: null });
const killed = (cause: NonNullable<StepFacts['end']>['cause']) => ({ cause, exitCode: null, signal: 9 });

const usual: StepFacts = {
  step: { name: 'run', wallMs: 1_000 },
  end: exited(0),
  stopped: undefined,
  outputOver: undefined,
  oomKilled: false,
};
const decide = (facts: Partial<StepFacts>) => {
  const after = afterStep({ ...usual, ...facts });
  if (after.follows === 'give_up') throw new Error('given up');
  return after;
};

/** The code of the problem that a user is told where this step decides. */
function codeOf(facts: Partial<StepFacts>): string | undefined {
  const { limited } = decide(facts).verdict;
  const limits = { timeoutMs: 1_000, cpuTimeMs: 500, outputBytes: 10, memoryBytes: 100, diskBytes: 100 };
  const of = { head: {}, request: { limits } } as Parameters<typeof limitProblem>[1];
  return limited && limitProblem(limited, of, 20).code;
}

test('the field that set a limit is named', () => {
  const limits = { timeoutMs: 1_000, cpuTimeMs: 500, outputBytes: 10, memoryBytes: 100, diskBytes: 100 };
  const compileLimits = { timeoutMs: 40_000, memoryBytes: 200 };
  const detail = (name: string, limit: 'wall' | 'output' | 'memory', apart?: object) => {
    const of = { head: {}, request: { limits, compileLimits: apart } } as Parameters<typeof limitProblem>[1];
    const ended = { name, limit, wallMs: 40_000, byRun: false, uncounted: false };
    return limitProblem(ended, of, 20).message;
  };
  expect(detail('compile', 'wall', compileLimits)).toContain(
    'longer than compileLimits.timeoutMs (40000 ms)',
  );
  expect(detail('compile', 'memory', compileLimits)).toContain(
    'more than compileLimits.memoryBytes (200 bytes',
  );
  expect(detail('compile', 'output', compileLimits)).toContain('more than limits.outputBytes (10 bytes)');
  expect(detail('run', 'memory', compileLimits)).toContain('more than limits.memoryBytes (100 bytes');
  expect(detail('compile', 'wall')).toContain('longer than a compiler may (40000 ms');
});

type Row = [string, Partial<StepFacts>, string, string, string | undefined, 'by itself' | 'interrupted'];

test.each<Row>([
  ['success', {}, 'next', 'succeeded', undefined, 'by itself'],
  ['failure', { end: exited(3) }, 'next', 'failed', undefined, 'by itself'],
  ['a signal of its own', { end: killed('exited') }, 'next', 'failed', undefined, 'by itself'],
  ['its wall time', { end: killed('wall') }, 'next', 'timed_out', 'wall_limit', 'interrupted'],
  ['its CPU time', { end: killed('cpu') }, 'next', 'timed_out', 'cpu_limit', 'interrupted'],
  [
    'its output, by the init',
    { end: killed('output') },
    'next',
    'output_limit',
    'output_limit',
    'interrupted',
  ],
  [
    'its output',
    { end: killed('killed'), outputOver: 'step' },
    'next',
    'output_limit',
    'output_limit',
    'interrupted',
  ],
  [
    'the run’s output',
    { end: killed('killed'), outputOver: 'run' },
    'next',
    'output_limit',
    'output_limit',
    'interrupted',
  ],
  [
    'output that was over at a good end',
    { outputOver: 'step' },
    'next',
    'output_limit',
    'output_limit',
    'interrupted',
  ],
  [
    'its memory',
    { end: killed('exited'), oomKilled: true },
    'next',
    'out_of_memory',
    'memory_limit',
    'interrupted',
  ],
  [
    'uncounted memory',
    { end: killed('uncounted') },
    'next',
    'out_of_memory',
    'kernel_memory_limit',
    'interrupted',
  ],
  [
    'a compiler’s success',
    { step: { name: 'compile', wallMs: 1 } },
    'next',
    'succeeded',
    undefined,
    'by itself',
  ],
  [
    'a compiler’s failure',
    { step: { name: 'compile', wallMs: 1 }, end: exited(1) },
    'end',
    'failed',
    undefined,
    'by itself',
  ],
  [
    'a compiler’s time',
    { step: { name: 'compile', wallMs: 1 }, end: killed('wall') },
    'end',
    'timed_out',
    'wall_limit',
    'interrupted',
  ],
  ['a cancel', { end: killed('killed'), stopped: 'cancelled' }, 'end', 'cancelled', undefined, 'interrupted'],
  [
    'a cancel of which the init said nothing',
    { end: undefined, stopped: 'cancelled' },
    'end',
    'cancelled',
    undefined,
    'interrupted',
  ],
  ['a cancel at a good end', { stopped: 'cancelled' }, 'end', 'cancelled', undefined, 'interrupted'],
  [
    'the worker’s clock',
    { end: undefined, stopped: 'timeout' },
    'end',
    'timed_out',
    'wall_limit',
    'interrupted',
  ],
  [
    'its disk',
    { end: killed('killed'), stopped: 'disk_limit' },
    'end',
    'failed',
    'disk_limit',
    'interrupted',
  ],
  [
    'a run that another worker has',
    { end: killed('killed'), stopped: 'lock_lost' },
    'end',
    'errored',
    undefined,
    'interrupted',
  ],
])('after %s', (_, facts, follows, status, code, how) => {
  expect(decide(facts)).toMatchObject({
    follows,
    exit: { status },
    verdict: { status },
    interrupted: how === 'interrupted',
  });
  expect(codeOf(facts)).toBe(code);
});

test('says whose output limit it was', () => {
  expect(decide({ end: killed('killed'), outputOver: 'run' }).verdict.limited?.byRun).toBe(true);
  expect(decide({ end: killed('killed'), outputOver: 'step' }).verdict.limited?.byRun).toBe(false);
  // A cause that came first is the one that is told.
  expect(decide({ end: undefined, outputOver: 'run', stopped: 'timeout' }).verdict.limited).toMatchObject({
    limit: 'wall',
    byRun: false,
  });
});

test.each<[string, Partial<StepFacts>]>([
  ['in the middle of a step', { end: undefined }],
  ['as it ends', {}],
  ['as its compiler fails', { step: { name: 'compile', wallMs: 1 }, end: exited(1) }],
])('a worker that shuts down %s says nothing of it', (_, facts) => {
  const stopped: StopCause = 'shutdown';
  expect(afterStep({ ...usual, ...facts, stopped })).toEqual({ follows: 'give_up' });
});

describe('after the loss of the whole sandbox', () => {
  test('for want of memory the step decides', () => {
    expect(afterLoss({ name: 'run[1]', wallMs: 5 }, 'memory')).toEqual({
      exit: { status: 'out_of_memory', exitCode: 137, signal: 'SIGKILL', limit: 'memory' },
      verdict: {
        status: 'out_of_memory',
        exitCode: 137,
        signal: 'SIGKILL',
        limited: { name: 'run[1]', wallMs: 5, limit: 'memory', byRun: false, uncounted: false },
      },
    });
  });

  test('for an unknown reason the user is told of the container', () => {
    const problem = afterLoss({ name: 'run', wallMs: 5 }, 'unknown');
    expect(problem).toBeInstanceOf(Problem);
    expect(problem).toMatchObject({ code: 'container_lost' });
  });
});
