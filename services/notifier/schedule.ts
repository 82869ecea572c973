/** A receiver may ask for a longer wait, but not for a longer one than this. */
const maxRetryAfterMs = 24 * 3_600_000;
/** Each wait is longer by up to a tenth, so that what failed together is not tried again together. */
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
  const asked = Math.min(retryAfterMs ?? 0, maxRetryAfterMs);
  return Math.ceil(Math.max(wait, asked) * (1 + jitter * random()));
}

/** `Retry-After` in ms: seconds, or a date (RFC 9110 §10.2.3); `undefined` for what is neither. */
export function retryAfterMs(value: string | undefined, now: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // `Date.parse` alone finds a date in nearly anything: `-1` and `never 2099` are days to it.
  if (!httpDates.some((form) => form.test(text))) return undefined;
  const date = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** RFC 9110 §5.6.7: the one to be sent, and the two old ones that are to be understood all the same. */
const httpDates = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];
