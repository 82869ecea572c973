import { readFileSync } from 'node:fs';

/** Less than this share of the machine's memory available: what is only there to be quick goes. */
const leastShare = 0.1;
const everyMs = 500;

/** Answers whether this machine is short of memory (Linux: MemAvailable of /proc/meminfo); looks twice a second at most. */
export function memoryWatch(read = () => readFileSync('/proc/meminfo', 'utf8')): () => boolean {
  let at = Number.NEGATIVE_INFINITY;
  let short = false;
  return () => {
    const now = performance.now();
    if (now - at < everyMs) return short;
    at = now;
    const text = read();
    const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
    short = kilobytes('MemAvailable') < kilobytes('MemTotal') * leastShare;
    return short;
  };
}
