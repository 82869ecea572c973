/** A receiver that asks for more patience than this is called all the same. */
const mostPatienceMs = 24 * 3_600_000;
/** Receivers that came back together are not called together: each wait is longer by up to a tenth. */
const jitter = 0.1;

/**
 * How long to wait after a failed try; `undefined` when that was the last one.
 *
 * @param failed tries of this round that have failed, this one included
 * @param retryAfterMs what the receiver asked for: it makes a wait longer, never shorter
 */
export function waitAfter(
  schedule: number[],
  failed: number,
  retryAfterMs: number | undefined,
  random: () => number = Math.random,
): number | undefined {
  const wait = schedule[failed - 1];
  if (wait === undefined) return undefined;
  const asked = Math.min(retryAfterMs ?? 0, mostPatienceMs);
  return Math.ceil(Math.max(wait, asked) * (1 + jitter * random()));
}

/** `Retry-After` in ms: seconds, or a date (RFC 9110 §10.2.3); `undefined` for what is neither. */
export function retryAfterMs(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d{1,10}\s*$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
