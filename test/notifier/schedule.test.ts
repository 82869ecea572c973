import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { retryAfterMs, waitAfter } from '../../services/notifier/schedule.ts';

const schedule = [5_000, 300_000, 1_800_000];
const day = 86_400_000;

describe('waitAfter', () => {
  test('goes by the schedule, to its end', () => {
    const waits = [1, 2, 3, 4, 99].map((failed) => waitAfter(schedule, failed, undefined, () => 0));
    expect(waits).toEqual([...schedule, undefined, undefined]);
    expect(waitAfter([], 1, undefined)).toBeUndefined();
  });

  test('is longer by a tenth at the most, and never shorter', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.option(fc.integer({ min: 0, max: 10 * day }), { nil: undefined }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (failed, asked, random) => {
          const wait = waitAfter(schedule, failed, asked, () => random) ?? 0;
          const least = Math.max(schedule[failed - 1] ?? 0, Math.min(asked ?? 0, day));
          expect(wait).toBeGreaterThanOrEqual(least);
          expect(wait).toBeLessThanOrEqual(Math.ceil(least * 1.1));
          expect(Number.isInteger(wait)).toBe(true);
        },
      ),
    );
  });

  test('a receiver may ask for more patience, for a day at the most, and not for less', () => {
    const wait = (asked: number) => waitAfter(schedule, 1, asked, () => 0);
    expect([0, 1, 4_999, 5_000].map(wait)).toEqual([5_000, 5_000, 5_000, 5_000]);
    expect(wait(60_000)).toBe(60_000);
    expect([day, day + 1, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY].map(wait)).toEqual(
      Array(4).fill(day),
    );
  });

  test('asking for patience brings no further try', () => {
    expect(waitAfter(schedule, 4, 60_000)).toBeUndefined();
  });
});

describe('retryAfterMs', () => {
  const now = Date.parse('2026-11-06T08:49:37.000Z');

  test.each<[string | undefined, number | undefined]>([
    [undefined, undefined],
    ['0', 0],
    ['1', 1_000],
    [' 120 ', 120_000],
    ['007', 7_000],
    ['9999999999', 9_999_999_999_000],
    // HTTP-date, RFC 9110 §5.6.7: the format to send and the two that every recipient must take.
    ['Fri, 06 Nov 2026 08:50:37 GMT', 60_000],
    ['Friday, 06-Nov-26 08:50:37 GMT', 60_000],
    ['Fri Nov  6 08:50:37 2026', 60_000],
    // Over already.
    ['Fri, 06 Nov 2026 08:49:36 GMT', 0],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
    // Neither seconds nor a date.
    ['', undefined],
    ['soon', undefined],
    ['-1', undefined],
    ['+1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['1, 2', undefined],
    ['5 minutes', undefined],
    ['never 2099', undefined],
    ['2099', 2_099_000],
    ['2099-01-01', undefined],
    ['2099-01-01T00:00:00Z', undefined],
    ['Fri, 06 Nov 2099', undefined],
    ['Fri, 99 Nov 2026 08:50:37 GMT', undefined],
    ['Fri, 06 Nov 2026 08:50:37 GMT; x', undefined],
    ['١٢', undefined],
    ['NaN', undefined],
    ['Infinity', undefined],
  ])('%j', (value, wanted) => {
    expect(retryAfterMs(value, now)).toBe(wanted);
  });

  test('digits without end are patience without end, which waitAfter bounds', () => {
    const asked = retryAfterMs('9'.repeat(400), now);
    expect(waitAfter(schedule, 1, asked, () => 0)).toBe(day);
  });

  test('anything at all is a number of ms that is not negative, or nothing', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const asked = retryAfterMs(value, now) ?? 0;
        expect(asked).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
