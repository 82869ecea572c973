import { statfs } from 'node:fs/promises';

/** What is free, by file system (its device). */
export type FreeBytes = Map<number, number>;

/** A container's last measure: when, in how long, what was left of the limit that is nearest, and what was free just before. */
export type Measured = { at: number; tookMs: number; roomBytes: number; free: FreeBytes };

/** Noise of others' is no reason to measure. */
const leastDropBytes = 1024 * 1024;
/** Somebody may have freed what another wrote: each is measured so often as well where anything moves, and so often where nothing does. */
const movedMs = 1_000;
const unmovedMs = 30_000;
/** A regular measure takes at most so much of the time. */
const share = 20;
/** An inode counts as much as an empty file does where files are counted. */
const inodeBytes = 4096;

/**
 * Nothing a container writes goes by what is free of its file systems. So that is looked at often, which costs a microsecond however many
 * containers there are, and one is measured when half of what it had left has gone since: it may have been it. Pure.
 */
export function isWorthALook(last: Measured, free: FreeBytes, now: number): boolean {
  let gone = 0;
  let moved = 0;
  for (const [filesystem, before] of last.free) {
    const drop = before - (free.get(filesystem) ?? before);
    gone += Math.max(0, drop);
    moved += Math.abs(drop);
  }
  const agoMs = now - last.at;
  if (gone > Math.max(leastDropBytes, last.roomBytes / 2) && agoMs >= last.tookMs) return true;
  return agoMs >= Math.max(moved > 0 ? movedMs : unmovedMs, last.tookMs * share);
}

/** Bytes and room for files that are free of each file system, by a path in it. */
export async function freeOf(paths: Map<number, string>): Promise<FreeBytes> {
  const free: FreeBytes = new Map();
  for (const [id, path] of paths) {
    // Gone with its container: next time another one's is asked.
    const found = await statfs(path).catch(() => undefined);
    if (found !== undefined) free.set(id, found.bfree * found.bsize + found.ffree * inodeBytes);
  }
  return free;
}
