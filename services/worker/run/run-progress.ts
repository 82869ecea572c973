import type { Problem } from '../../../shared/problems.ts';
import type { TerminalStatus } from '../../../shared/run-states.ts';
import {
  emptyState,
  newStep,
  type RunState,
  type StepState,
  type StoredArtifact,
} from '../../../shared/stores/run-record.ts';
import type { Judgement } from './judge-step.ts';

/** The state in which an attempt begins whose image and sandbox are yet to be brought. */
export const coldState = (queuedMs: number): RunState => ({
  ...emptyState,
  timings: { ...emptyState.timings, queuedMs },
});

/** The state of a run that starts in a warm sandbox, but for its times. */
export const warmState = (
  image: { reference: string; digest: string | null },
  firstStep: string,
): RunState => ({
  ...emptyState,
  image,
  startedWarm: true,
  steps: [newStep(firstStep)],
});

/** The same with the times of one run. */
export const startedState = (warm: RunState, queuedMs: number, startedAt: number): RunState => ({
  ...warm,
  timings: { ...warm.timings, queuedMs },
  startedAt: new Date(startedAt).toISOString(),
});

/** The state of a run that ends without having been started. */
export const unstartedState = (error: Problem | null): RunState => ({
  ...emptyState,
  error: error?.toBody() ?? null,
  finishedAt: now(),
});

export type RunProgress = ReturnType<typeof trackProgress>;

/**
 * What one attempt has found out so far. Nothing else changes the state of a run that is under way, so that all that can happen to
 * it is to be read here.
 */
export function trackProgress(first: RunState) {
  let state = first;
  const change = (fields: Partial<RunState>) => {
    state = { ...state, ...fields };
  };
  const time = (fields: Partial<RunState['timings']>) => change({ timings: { ...state.timings, ...fields } });
  const lastStep = (fields: Partial<StepState>) => {
    const last = state.steps.at(-1);
    if (last !== undefined) change({ steps: [...state.steps.slice(0, -1), { ...last, ...fields }] });
  };

  return {
    current: (): Readonly<RunState> => state,

    imageChosen(reference: string): void {
      change({ image: { reference, digest: null } });
    },

    /** @param pullMs `null`: it was there already */
    imageReady(reference: string, digest: string | null, pullMs: number | null): void {
      change({ image: { reference, digest } });
      time({ pullMs: pullMs === null ? null : round(pullMs) });
    },

    sandboxReady(warm: boolean, firstStep: string): void {
      change({ startedWarm: warm, startedAt: now(), steps: [newStep(firstStep)] });
    },

    programStarted(startMs: number): void {
      time({ startMs: round(startMs) });
      change({ startedAt: now() });
    },

    /**
     * The init says late that a program has started, of a short one together with its end. So the steps' own times, which the init
     * measures, correct what this worker measured.
     */
    programsEnded(startMs: number, runMs: number): void {
      const wallMs = state.steps.reduce((sum, step) => sum + (step.wallMs ?? 0), 0);
      const late = Math.min(Math.max(0, wallMs - runMs), startMs);
      time({ startMs: round(startMs - late), runMs: round(runMs + late) });
    },

    /** The first step stands there already: the run was moved to `running` with it. */
    stepBegan(name: string): void {
      const before = state.steps.at(-1)?.name === name ? state.steps.slice(0, -1) : state.steps;
      change({ steps: [...before, newStep(name)] });
    },

    /** @param measured `undefined`: the init did not say how the step ended */
    stepEnded(
      verdict: Pick<StepState, 'status' | 'exitCode' | 'signal' | 'limit'>,
      measured: { wallMs: number; cpuMs: number; maxMemoryBytes: number } | undefined,
      judgement?: Judgement,
    ): void {
      lastStep({
        ...verdict,
        ...judgement,
        wallMs: measured === undefined ? null : round(measured.wallMs),
        cpuMs: measured === undefined ? null : round(measured.cpuMs),
        maxMemoryBytes: measured?.maxMemoryBytes ?? null,
      });
    },

    /** Those of a judged run's steps that nobody ran, though the program was not stopped by its owner or by us. */
    leftSkipped(names: readonly string[]): void {
      if ((state.steps.at(-1)?.verdict ?? null) === null) return;
      const left = names.slice(state.steps.length);
      const skipped = { status: 'cancelled', verdict: 'skipped' } as const;
      change({ steps: [...state.steps, ...left.map((name) => ({ ...newStep(name), ...skipped }))] });
    },

    outputCut(): void {
      change({ outputTruncated: true });
    },

    artifactKept(artifact: StoredArtifact): void {
      change({ artifacts: [...state.artifacts, artifact] });
    },

    /** What the user is told is wrong; it does not say that the run has ended. */
    failed(problem: Problem): void {
      change({ error: problem.toBody() });
    },

    /** @param byLimit what the user is told where a limit ended the run, unless something else is wrong already */
    ended(
      {
        status,
        exitCode,
        signal,
      }: { status: TerminalStatus; exitCode: number | null; signal: string | null },
      byLimit: Problem | undefined,
      createdAt: string,
    ): void {
      const finished = Date.now();
      const steps = state.steps.map((step) => (step.status === 'running' ? { ...step, status } : step));
      change({
        exitCode,
        signal,
        steps,
        error: state.error ?? byLimit?.toBody() ?? null,
        usage: usageOf(steps),
        finishedAt: new Date(finished).toISOString(),
      });
      time({ totalMs: Math.max(0, finished - Date.parse(createdAt)) });
    },
  };
}

/** CPU time of all steps; the largest of their peaks. `null` where no step was measured. */
function usageOf(steps: StepState[]): RunState['usage'] {
  const measured = steps.filter((step) => step.cpuMs !== null);
  if (measured.length === 0) return { cpuMs: null, maxMemoryBytes: null };
  return {
    cpuMs: round(measured.reduce((sum, step) => sum + (step.cpuMs ?? 0), 0)),
    maxMemoryBytes: Math.max(...measured.map((step) => step.maxMemoryBytes ?? 0)),
  };
}

const now = () => new Date().toISOString();
const round = (ms: number) => Math.round(ms * 10) / 10;
