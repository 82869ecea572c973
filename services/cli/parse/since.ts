import { parseDuration } from './duration.ts';

/** A time in the past, as `1h` before now or as RFC 3339 has it; answers the latter. */
export function parseSince(text: string, now: number = Date.now()): string {
  const at = new Date(isTime(text) ? Date.parse(text) : now - agoMs(text));
  if (Number.isNaN(at.getTime())) throw new Error(howToSay);
  return at.toISOString();
}

const howToSay = 'Give how long ago, like 30m or 1h, or a time like 2026-01-31T12:00:00Z.';

const isTime = (text: string) =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/i.test(text);

function agoMs(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    throw new Error(howToSay);
  }
}
