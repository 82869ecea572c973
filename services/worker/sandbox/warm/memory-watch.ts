import { readFileSync } from 'node:fs';

/** If less than this share of the machine's memory is available, what is kept only for speed is removed. */
const leastShare = 0.1;
const everyMs = 500;

/** Tells whether this machine is short of memory, from Linux's file. It reads the file twice a second at most. */
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

/** If a machine does not report it (another system, a kernel before 3.14), it does not count as short of memory. */
function isShort(file: string): boolean {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return false;
  }
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]);
  // If a value is missing it is NaN, and the comparison is false.
  return kilobytes('MemAvailable') < kilobytes('MemTotal') * leastShare;
}
