/** The units of a time, the shortest first, in ms. */
export const durationUnits: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Parses `500ms`, `10s`, `1m30s`, `1.5h` to milliseconds. A number without a unit is refused: users of `docker stop -t`
 * would mean seconds, readers of the API milliseconds. A mistake by a factor of a thousand should not go unnoticed.
 */
export function parseDuration(text: string): number {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text))
    throw new Error('Give a time with its unit, like 500ms, 10s, 1m30s or 2h.');
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    total += Number(amount) * (durationUnits[unit ?? ''] ?? Number.NaN);
  // 1.1s is 1100.0000000000002 in floating point. A difference of more than a microsecond was typed by the user.
  const whole = Math.round(total);
  if (Math.abs(total - whole) > 1e-3 || !Number.isSafeInteger(whole))
    throw new Error('Give a time that is a whole number of milliseconds.');
  return whole;
}
