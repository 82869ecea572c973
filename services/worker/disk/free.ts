import { statfs } from 'node:fs/promises';

/** What is free, by file system (its device). */
export type FreeBytes = Map<number, number>;

/** A container's last measurement: when, how long it took, what was left to the nearest limit, and what was free just before. */
export type Measured = { at: number; tookMs: number; roomBytes: number; free: FreeBytes };

/** Less than this is what others on the machine write all the time: no reason to measure. */
const minDropBytes = 1024 * 1024;
/**
 * What one container wrote may be hidden by what another freed: so each is also measured at these intervals, where free bytes change and
 * where they do not.
 */
const movedMs = 1_000;
const unmovedMs = 30_000;
/** Measuring at intervals takes at most one part in so many of the time. */
const share = 20;
/** A free inode counts as much as the init counts for an empty file. */
const inodeBytes = 4096;

/**
 * Whatever a container writes lowers what is free of its file systems. That is read often: it costs a microsecond, however many containers
 * there are. A container is measured when half of what it had left is gone since: it may be the one that wrote. Pure.
 */
export function shouldMeasure(last: Measured, free: FreeBytes, now: number): boolean {
  let gone = 0;
  let moved = 0;
  for (const [filesystem, before] of last.free) {
    const drop = before - (free.get(filesystem) ?? before);
    gone += Math.max(0, drop);
    moved += Math.abs(drop);
  }
  const agoMs = now - last.at;
  if (gone > Math.max(minDropBytes, last.roomBytes / 2) && agoMs >= last.tookMs) return true;
  return agoMs >= Math.max(moved > 0 ? movedMs : unmovedMs, last.tookMs * share);
}

/** What is free of each file system, inodes counted as bytes, by a path in it. */
export async function freeOf(paths: Map<number, string>): Promise<FreeBytes> {
  const free: FreeBytes = new Map();
  for (const [id, path] of paths) {
    // The path is gone with its container: next time the path of another is asked.
    const found = await statfs(path).catch(() => undefined);
    if (found !== undefined) free.set(id, found.bfree * found.bsize + found.ffree * inodeBytes);
  }
  return free;
}
