import { badField } from '../../../shared/problems.ts';

const maxWaitSeconds = 60;

/**
 * The seconds of `Prefer: wait=N` (RFC 7240 §4.3), 0 when nothing was said. Other preferences are ignored, as §2
 * demands; of several `wait` the first counts.
 */
export function preferredWait(value: string | undefined): number {
  if (value === undefined) return 0;
  for (const preference of splitList(value)) {
    const [name = '', ...rest] = preference.split(';', 1)[0]?.split('=') ?? [];
    if (name.trim().toLowerCase() !== 'wait') continue;
    const word = rest
      .join('=')
      .trim()
      .replace(/^"(.*)"$/, '$1');
    if (!/^\d{1,3}$/.test(word) || Number(word) > maxWaitSeconds)
      throw badField(
        'Prefer',
        `wait must be a whole number of seconds from 0 to ${maxWaitSeconds}, as in "wait=10"`,
      );
    return Number(word);
  }
  return 0;
}

/** Splits at commas outside of quoted strings. */
function splitList(value: string): string[] {
  return value.match(/(?:"(?:[^"\\]|\\.)*"|[^,"]|")+/g) ?? [];
}
