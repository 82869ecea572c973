import { readFile } from 'node:fs/promises';
import type { DiskPlaces } from '../engine/containers.ts';
import type { DiskGroup } from './look.ts';

/** The limit of the root, and of each volume by its path in the container. A volume without a limit counts towards the root's. */
export type DiskLimits = { rootBytes: number; volumes: { path: string; bytes: number }[] };

const MiB = 1024 * 1024;
/** Of a file without content, where nothing else counts files. */
const fileBytes = 4096;
/** What its inode takes (XFS). */
const inodeBytes = 512;

/**
 * What the watch holds to a limit. Where a quota does, that is the one to be reached: there a program is told, and goes on. The watch is for
 * what a quota leaves out (inodes, files that lie elsewhere), and lets that be an eighth of the limit, so that it ends nothing which is full.
 */
export function heldTo(bytes: number, quota: number | null): Pick<DiskGroup, 'maxBytes' | 'leastBytes'> {
  if (quota === null || quota > bytes) return { maxBytes: bytes, leastBytes: fileBytes };
  return { maxBytes: bytes + Math.max(MiB, Math.floor(bytes / 8)), leastBytes: inodeBytes };
}

/** The first group is the root, the others are the volumes in their order. `null`: nobody says where the root's files are. */
export async function groupsOf(found: DiskPlaces, limits: DiskLimits): Promise<DiskGroup[] | null> {
  const upper = found.root ?? upperOf(await readFile(`/proc/${found.pid}/mountinfo`, 'utf8').catch(() => ''));
  if (upper === undefined) return null;
  const root: DiskGroup = {
    ...heldTo(limits.rootBytes, found.rootQuota),
    places: [
      { path: upper, inside: '/' },
      ...found.files.map(({ source, path }) => ({ path: source, inside: path })),
    ],
  };
  const quotaAt = (path: string) =>
    found.volumes.find((one) => withoutEndSlash(one.path) === withoutEndSlash(path))?.quota ?? null;
  const volumes = limits.volumes.map(
    ({ path, bytes }): DiskGroup => ({ ...heldTo(bytes, quotaAt(path)), places: [] }),
  );
  for (const { folder, path } of found.volumes) {
    const own =
      volumes[limits.volumes.findIndex((one) => withoutEndSlash(one.path) === withoutEndSlash(path))];
    (own ?? root).places.push({ path: folder, inside: path });
  }
  return [root, ...volumes];
}

const withoutEndSlash = (path: string) => path.replace(/\/+$/, '');

/**
 * The folder that an overlay on `/` writes to, of proc_pid_mountinfo(5); space, tab, line end and backslash come as octal numbers there.
 * For engines whose API does not tell it (Docker with containerd's image store).
 */
export function upperOf(mountinfo: string): string | undefined {
  for (const line of mountinfo.split('\n')) {
    const [mount = '', filesystem = ''] = line.split(' - ');
    const [kind, , options = ''] = filesystem.split(' ');
    if (mount.split(' ')[4] !== '/' || kind !== 'overlay') continue;
    const upper = options.split(',').find((one) => one.startsWith('upperdir=/'));
    return upper
      ?.slice('upperdir='.length)
      .replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  }
  return undefined;
}
