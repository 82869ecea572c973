import { expect, test } from 'vitest';
import {
  coldState,
  startedState,
  trackProgress,
  unstartedState,
  warmState,
} from '../../../services/worker/run/run-progress.ts';
import { Problem } from '../../../shared/problems.ts';
import { emptyState } from '../../../shared/stores/run-record.ts';

const createdAt = '2026-01-01T00:00:00.000Z';
const success = { status: 'succeeded', exitCode: 0, signal: null } as const;
const limit = new Problem('wall_limit', 'too long');

test('the way of a cold run', () => {
  const progress = trackProgress(coldState(12));
  progress.imageChosen('busybox');
  expect(progress.current()).toMatchObject({ image: { reference: 'busybox', digest: null } });
  progress.imageReady('busybox', 'sha256:1', 3.06);
  progress.sandboxReady(false, 'compile');
  expect(progress.current().steps).toMatchObject([{ name: 'compile', status: 'running' }]);
  progress.stepBegan('compile');
  progress.programStarted(7.77);
  progress.stepEnded({ ...success, limit: null }, { wallMs: 10.04, cpuMs: 5.06, maxMemoryBytes: 100 });
  progress.stepBegan('run');
  progress.outputCut();
  progress.stepEnded(
    { ...success, status: 'failed', limit: null },
    { wallMs: 1, cpuMs: 1, maxMemoryBytes: 300 },
  );
  progress.programsEnded(7.77, 20);
  progress.artifactKept({ path: 'a', sizeBytes: 1, sha256: '' });
  progress.artifactKept({ path: 'b', sizeBytes: 1, sha256: '' });
  progress.ended({ ...success, status: 'failed' }, undefined, createdAt);
  expect(progress.current()).toMatchObject({
    image: { reference: 'busybox', digest: 'sha256:1' },
    exitCode: 0,
    outputTruncated: true,
    startedWarm: false,
    timings: { queuedMs: 12, pullMs: 3.1, startMs: 7.8, runMs: 20 },
    usage: { cpuMs: 6.1, maxMemoryBytes: 300 },
    steps: [
      { name: 'compile', status: 'succeeded', wallMs: 10, cpuMs: 5.1 },
      { name: 'run', status: 'failed' },
    ],
    artifacts: [{ path: 'a' }, { path: 'b' }],
    error: null,
  });
  expect(progress.current().timings.totalMs).toBeGreaterThan(0);
});

test('the steps that a judge skips are told; those that a cancelled run did not come to are not', () => {
  const progress = trackProgress(coldState(0));
  const names = ['compile', 'run[0]', 'run[1]'];
  progress.sandboxReady(false, 'compile');
  progress.stepEnded({ ...success, limit: null }, undefined, { verdict: null, difference: null });
  progress.leftSkipped(names);
  expect(progress.current().steps).toHaveLength(1);
  progress.stepBegan('run[0]');
  progress.stepEnded({ ...success, limit: null }, undefined, { verdict: 'wrong_answer', difference: null });
  progress.leftSkipped(names);
  expect(progress.current().steps).toMatchObject([
    { name: 'compile', verdict: null },
    { name: 'run[0]', verdict: 'wrong_answer' },
    { name: 'run[1]', status: 'cancelled', verdict: 'skipped', wallMs: null },
  ]);
});

test('a run that starts warm has its first step from the start', () => {
  const warm = warmState({ reference: 'busybox', digest: 'sha256:1' }, 'run');
  const progress = trackProgress(startedState(warm, 4, Date.parse(createdAt)));
  progress.stepBegan('run');
  expect(progress.current()).toMatchObject({
    startedWarm: true,
    startedAt: createdAt,
    timings: { queuedMs: 4 },
    steps: [{ name: 'run' }],
  });
  expect(progress.current().steps).toHaveLength(1);
});

test('a start that was heard of late is put right by the init’s own clock', () => {
  const progress = trackProgress(coldState(0));
  progress.stepBegan('run');
  progress.stepEnded({ ...success, limit: null }, { wallMs: 8, cpuMs: 1, maxMemoryBytes: 1 });
  progress.programsEnded(10, 3);
  expect(progress.current().timings).toMatchObject({ startMs: 5, runMs: 8 });
  // Never by more than there was.
  progress.programsEnded(2, 3);
  expect(progress.current().timings).toMatchObject({ startMs: 0, runMs: 5 });
});

test('what is wrong first is told, and a step that never ended has the run’s status', () => {
  const progress = trackProgress(coldState(0));
  progress.stepBegan('run');
  progress.failed(new Problem('artifact_limit', 'too many'));
  progress.ended({ status: 'timed_out', exitCode: null, signal: null }, limit, createdAt);
  expect(progress.current()).toMatchObject({
    error: { code: 'artifact_limit' },
    steps: [{ status: 'timed_out' }],
    usage: { cpuMs: null, maxMemoryBytes: null },
  });
});

test('a limit that ended the run is told', () => {
  const progress = trackProgress(coldState(0));
  progress.ended({ status: 'timed_out', exitCode: null, signal: null }, limit, createdAt);
  expect(progress.current().error).toMatchObject({ code: 'wall_limit' });
});

test('one run changes nothing of another, nor what was read before', () => {
  const one = trackProgress(coldState(1));
  const before = one.current();
  one.stepBegan('run');
  one.artifactKept({ path: 'a', sizeBytes: 1, sha256: '' });
  expect(before).toMatchObject({ steps: [], artifacts: [] });
  expect(trackProgress(coldState(2)).current()).toEqual({
    ...emptyState,
    timings: { ...emptyState.timings, queuedMs: 2 },
  });
});

test('a run that was never started ends with its problem, or cancelled', () => {
  expect(unstartedState(limit)).toMatchObject({ error: { code: 'wall_limit' }, steps: [] });
  expect(unstartedState(null).error).toBeNull();
  expect(unstartedState(null).finishedAt).not.toBeNull();
});
