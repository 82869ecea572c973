import { expect, test } from 'vitest';
import { judgeStep, judgingOf } from '../../../services/worker/run/judge-step.ts';
import { runRequest } from '../../support/run-request.ts';

const difference = { line: 1, expected: 'a', got: 'b' };
type Exit = Parameters<typeof judgeStep>[1];
const ended = (status: Exit['status'], limit: Exit['limit'] = null): Exit => ({ status, limit });

test.each<[string, Exit, string | null]>([
  ['ends well', ended('succeeded'), 'accepted'],
  ['fails', ended('failed'), 'runtime_error'],
  ['is too slow', ended('timed_out', 'wall'), 'time_limit'],
  ['uses too much CPU time', ended('timed_out', 'cpu'), 'time_limit'],
  ['needs too much memory', ended('out_of_memory', 'memory'), 'memory_limit'],
  ['writes too much', ended('output_limit', 'output'), 'output_limit'],
  ['fills the disk', ended('failed', 'disk'), 'output_limit'],
  ['is cancelled', ended('cancelled'), null],
  ['cannot be carried out by us', ended('errored'), null],
])('a program that %s', (_, exit, verdict) => {
  expect(judgeStep('run', exit, undefined)).toEqual({ verdict, difference: null });
  const compiled = verdict === null || verdict === 'accepted' ? null : 'compile_error';
  expect(judgeStep('compile', exit, undefined)).toEqual({ verdict: compiled, difference: null });
});

test('only of a program that ended well is its output told', () => {
  expect(judgeStep('run[0]', ended('succeeded'), difference)).toEqual({
    verdict: 'wrong_answer',
    difference,
  });
  expect(judgeStep('run[0]', ended('failed'), difference)).toEqual({
    verdict: 'runtime_error',
    difference: null,
  });
});

test.each<[object, object | undefined]>([
  [{}, undefined],
  [{ inputs: [{ stdin: '1' }] }, undefined],
  [{ inputs: [{}, { expectedStdout: '' }] }, { stopOnFailure: false }],
  [{ inputs: [{}], stopOnFailure: true }, { stopOnFailure: true }],
])('%j is judged as %j', (fields, judging) => {
  expect(judgingOf(runRequest.parse({ image: 'busybox', ...fields }))).toEqual(judging);
});
