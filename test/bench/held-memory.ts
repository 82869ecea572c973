import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Bytes that are held by containers: what their cgroups count, and of processes that are in the cgroup of who started them (shims, runtimes)
 * their own part of what they map. @param outside who started them
 */
export function heldBytes(pids: number[], outside: number): number {
  const theirs = folderOf(outside);
  const folders = new Set(pids.map(folderOf).filter((folder) => folder !== undefined && folder !== theirs));
  const counted = [...folders].reduce((sum, folder) => sum + countedBytes(folder ?? ''), 0);
  return pids.filter((pid) => folderOf(pid) === theirs).reduce((sum, pid) => sum + mappedBytes(pid), counted);
}

/** Of memory: on version 1, and where both are mounted, it has a hierarchy of its own. */
function folderOf(pid: number): string | undefined {
  const lines = textOf(`/proc/${pid}/cgroup`);
  const [, ofMemory] = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(lines) ?? [];
  if (ofMemory !== undefined) return join('/sys/fs/cgroup/memory', ofMemory);
  const [, unified] = /^0::(.*)$/m.exec(lines) ?? [];
  return unified === undefined ? undefined : join('/sys/fs/cgroup', unified);
}

function countedBytes(folder: string): number {
  const file = ['memory.current', 'memory.usage_in_bytes'].find((name) => existsSync(join(folder, name)));
  return file === undefined ? 0 : Number(textOf(join(folder, file)));
}

function mappedBytes(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024;
}

/** Processes and cgroups may go at any time. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
