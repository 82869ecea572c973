import { describe, expect, test } from 'vitest';
import {
  afterEnd,
  type End,
  endsForGood,
  type Next,
} from '../../../services/worker/services/restart-policy.ts';

const again = (waitMs: number, looping = false): Next => ({ again: true, waitMs, looping });
const over: Next = { again: false };
const end = (exitCode: number, ranMs = 0): End => ({ withEngine: false, exitCode, ranMs });
const withEngine: End = { withEngine: true };

describe.each(['always', 'on-failure', 'never'] as const)('restart %s', (policy) => {
  const settles = { always: [false, false], 'on-failure': [true, false], never: [true, true] }[policy];

  test.each([
    [0, settles[0]],
    [1, settles[1]],
    [137, settles[1]],
  ])('after exit code %i', (exitCode, isLast) => {
    expect(endsForGood(policy, exitCode)).toBe(isLast);
    expect(afterEnd(policy, 0, end(exitCode)).next).toEqual(isLast ? over : again(500));
  });

  test.each([0, 1, 20])('with its engine, after %i ends in a row: no crash', (endsInARow) => {
    const next = policy === 'never' ? over : again(500);
    expect(afterEnd(policy, endsInARow, withEngine)).toEqual({ next, endsInARow });
  });
});

test.each([
  [0, again(500)],
  [1, again(1_000)],
  [2, again(2_000, true)],
  [3, again(4_000, true)],
  [6, again(32_000, true)],
  [7, again(60_000, true)],
  [2_000, again(60_000, true)],
])('after %i ends in a row the next waits', (endsInARow, next) => {
  expect(afterEnd('always', endsInARow, end(1))).toEqual({ next, endsInARow: endsInARow + 1 });
});

test('an end after a minute is the first of a new row', () => {
  expect(afterEnd('always', 9, end(1, 59_999)).endsInARow).toBe(10);
  expect(afterEnd('always', 9, end(1, 60_000))).toEqual({ next: again(500), endsInARow: 1 });
  expect(afterEnd('on-failure', 9, end(0, 60_000))).toEqual({ next: over, endsInARow: 1 });
});
