import { readFile } from 'node:fs/promises';
import type { DiskPlaces } from '../engine/containers.ts';
import type { DiskGroup } from './look.ts';

/** The limit of the root, and of each volume by its path in the container. A volume without a limit counts towards the root's. */
export type DiskLimits = { rootBytes: number; volumes: { path: string; bytes: number }[] };

/** The first group is the root, the others are the volumes in their order. `null`: where the root's files are is not known. */
export async function groupsOf(found: DiskPlaces, limits: DiskLimits): Promise<DiskGroup[] | null> {
  const upper = found.root ?? upperOf(await readFile(`/proc/${found.pid}/mountinfo`, 'utf8').catch(() => ''));
  if (upper === undefined) return null;
  const root: DiskGroup = {
    maxBytes: limits.rootBytes,
    places: [
      { path: upper, inside: '/' },
      ...found.files.map(({ source, path }) => ({ path: source, inside: path })),
    ],
  };
  const volumes = limits.volumes.map(({ bytes }): DiskGroup => ({ maxBytes: bytes, places: [] }));
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
