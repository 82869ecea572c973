import { parseDuration } from './duration.ts';

const howToSay =
  'Give how long it is good, like 12h or 90d, or a time with its zone, like 2027-01-31T12:00:00Z.';

/** A time to come, as `90d` from now or as RFC 3339 has it; answers the latter. */
export function parseUntil(text: string, now: number = Date.now()): string {
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/i.test(text);
  const at = new Date(isTime ? Date.parse(text) : now + aheadMs(text));
  if (Number.isNaN(at.getTime()) || at.getTime() <= now) throw new Error(howToSay);
  return at.toISOString();
}

function aheadMs(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    throw new Error(howToSay);
  }
}
