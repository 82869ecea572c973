import { posix } from 'node:path';
import { kernelFolder } from '../../../../shared/kernel-folders.ts';
import { Problem } from '../../../../shared/problems.ts';
import type { Tmpfs } from '../../engine/containers.ts';
import type { RunUser } from '../users/run-users.ts';

export const workFolder = '/work';

/** Every run can write here, in any image. */
const always = [workFolder, '/tmp'];

/** Each VOLUME is one more mount. An image with more than this was not made for such runs. */
const maxVolumes = 64;

/** A mount here would hide the OCI runtime's own mounts, or the whole root. */
const reserved = /^\/$|^\/(?:proc|sys)(?:\/|$)|^\/dev$/;

/** Where a run always has its own folder: /work, /tmp and the image's VOLUMEs. */
export function imageFolders(volumes: string[], usual = always): string[] {
  return [...new Set([...usual, ...volumes.map(clean)])].sort();
}

/** The kernel does not count inodes as file data. Without a limit, empty files would cost nothing. */
export function inodesFor(sizeBytes: number): number {
  return Math.min(1_000_000, Math.max(1024, Math.ceil(sizeBytes / 4096)));
}

function clean(path: string): string {
  const normal = posix.resolve('/', path);
  return normal.length > 1 ? normal.replace(/\/$/, '') : normal;
}

export function isInside(folder: string, path: string): boolean {
  return path.startsWith(`${folder}/`);
}

/**
 * The run's writable folders: /work, /tmp and every VOLUME of the image. (A tmpfs on a VOLUME's path keeps the engine
 * from making an anonymous volume there, which has no limit.) The folder that the program starts in is one too if it is
 * inside /work or /tmp: otherwise the OCI runtime would make it there, owned by root and closed to the run's user.
 */
export function runFolders(volumes: string[], workdir: string): string[] {
  if (volumes.length > maxVolumes)
    throw new Problem(
      'start_failed',
      `The image declares ${volumes.length} VOLUMEs; at most ${maxVolumes} are possible.`,
    );
  const declared = volumes.map(clean);
  const bad = declared.find((path) => reserved.test(path));
  if (bad !== undefined)
    throw new Problem(
      'start_failed',
      `The image declares the VOLUME ${bad}, which cannot be a folder of its own.`,
    );
  const own = always.some((folder) => isInside(folder, clean(workdir))) ? [clean(workdir)] : [];
  return imageFolders([...volumes, ...own]);
}

/** The same folders, in the form in which they are mounted. */
export function writableFolders(
  volumes: string[],
  workdir: string,
  diskBytes: number,
  owner: RunUser,
): Tmpfs[] {
  const inodes = inodesFor(diskBytes);
  return runFolders(volumes, workdir).map((path) => ({ path, sizeBytes: diskBytes, inodes, ...owner }));
}

/** The folder that the program starts in. */
export function workdirFor(requested: string | undefined, ofImage: string): string {
  if (requested !== undefined) return clean(requested);
  const own = ofImage === '' ? '/' : clean(ofImage);
  return own === '/' ? workFolder : own;
}

/**
 * The same for a container that is about to be made. It is checked here because an image may name a folder that a
 * request may not.
 */
export function checkWorkdir(workdir: string): string {
  if (kernelFolder(workdir) !== undefined)
    throw new Problem(
      'start_failed',
      `The image’s WORKDIR is ${workdir}, and no program may start in /proc, /sys or /dev. Give "workdir", as in "/work".`,
    );
  return workdir;
}

/**
 * HOME from the request. Without it, HOME from the image if a run can write there (in few images, because it is mostly
 * root's). Else /work.
 */
export function homeFor(
  requestEnv: Record<string, string>,
  imageEnv: string[],
  folders: Pick<Tmpfs, 'path'>[],
): string {
  const requested = requestEnv.HOME;
  if (requested !== undefined) return requested;
  const line = imageEnv.findLast((entry) => entry.startsWith('HOME='));
  const ofImage = line === undefined ? undefined : clean(line.slice('HOME='.length));
  const usable = folders.some(({ path }) => path === ofImage);
  return ofImage !== undefined && usable ? ofImage : workFolder;
}
