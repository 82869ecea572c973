import { readFileSync } from 'node:fs';

/** Less than this share of the machine's memory available: what is only there to be quick goes. */
const leastShare = 0.1;
const everyMs = 500;

/** Answers whether this machine is short of memory, by Linux's file; looks twice a second at most. */
export function memoryWatch(file = '/proc/meminfo'): () => boolean {
  let at = Number.NEGATIVE_INFINITY;
  let short = false;
  return () => {
    const now = performance.now();
    if (now - at < everyMs) return short;
    at = now;
    short = isShort(file);
    return short;
  };
}

/** A machine that does not tell (another system, a kernel before 3.14) is not taken to be short of memory for ever. */
function isShort(file: string): boolean {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return false;
  }
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]);
  // NaN, where one of them is missing, is less than nothing.
  return kilobytes('MemAvailable') < kilobytes('MemTotal') * leastShare;
}
