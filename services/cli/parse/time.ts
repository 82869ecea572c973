import { parseDuration } from './duration.ts';

/** RFC 3339, with a time zone. */
const isTime = (text: string): boolean =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/i.test(text);

/** Parses a time in the past: `1h` before now, or RFC 3339. Returns RFC 3339. */
export function parseSince(text: string, now: number = Date.now()): string {
  const howToSay = 'Give how long ago, like 30m or 1h, or a time like 2026-01-31T12:00:00Z.';
  const at = new Date(isTime(text) ? Date.parse(text) : now - durationOf(text, howToSay));
  if (Number.isNaN(at.getTime())) throw new Error(howToSay);
  return at.toISOString();
}

/** Parses a time in the future: `90d` from now, or RFC 3339. Returns RFC 3339. */
export function parseUntil(text: string, now: number = Date.now()): string {
  const howToSay =
    'Give how long it is good, like 12h or 90d, or a time with its zone, like 2027-01-31T12:00:00Z.';
  const at = new Date(isTime(text) ? Date.parse(text) : now + durationOf(text, howToSay));
  if (Number.isNaN(at.getTime()) || at.getTime() <= now) throw new Error(howToSay);
  return at.toISOString();
}

function durationOf(text: string, howToSay: string): number {
  try {
    return parseDuration(text);
  } catch {
    throw new Error(howToSay);
  }
}
