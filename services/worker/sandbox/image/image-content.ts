import type { Readable } from 'node:stream';
import type { RunRequest } from '../../../../shared/contracts/run-request.ts';
import { Problem } from '../../../../shared/problems.ts';
import { dataFrames, frame, u32, u64 } from '../init/frames.ts';
import { inodesFor, isInside } from '../program/folders.ts';
import { type ArchiveEntry, entriesAt } from './image-archive.ts';
import type { Spool } from './spool.ts';

const GiB = 1024 ** 3;
const pageBytes = 4096;

/** The most bytes of one image that are copied into its sandboxes. */
export const maxContentBytes = 2 * GiB;
const maxEntries = 100_000;
/** The kernel's paths are shorter, and a frame has room for two. */
const maxPathBytes = 4096;
/**
 * The kernel's own memory for each file and folder, and the memory that the init needs. Measured with 10,000 small
 * files.
 */
const entryMemoryBytes = 1536;
const spareMemoryBytes = 4 * 1024 * 1024;

/** The part for one of a sandbox's folders. Each folder is a tmpfs of `diskBytes`. */
type Share = { path: string; bytes: number; entries: number };

/** What an image has in the folders that a run replaces with its own. */
export type ImageContent = {
  shares: Share[];
  /** Counted in whole pages, as a tmpfs does. */
  bytes: number;
  entries: number;
  /** Why it cannot be copied into any sandbox. Then the other fields mean nothing. */
  over: string | null;
  /** Frames for the init that make the same content in the sandbox. */
  frames: Spool;
};

export type ContentOptions = {
  read(path: string): Promise<Readable | null>;
  /** Paths in the image. None is inside another. */
  roots: string[];
  /** Each is a separate file system in the sandbox. */
  folders: string[];
  /** Paths at which something else will be mounted. */
  covered: Set<string>;
  openSpool(): Promise<Spool>;
  /** Called for what cannot be copied: sockets, devices, names that are not UTF-8. */
  onLeftOut(path: string): void;
};

/**
 * Reads what an image has in these folders. `null`: nothing. In the sandbox everything belongs to the run's user. A
 * folder stays accessible until it is filled, whatever its mode.
 */
export async function readContent(options: ContentOptions): Promise<ImageContent | null> {
  const deepestFirst = [...options.folders].sort((a, b) => b.length - a.length);
  const folderOf = (path: string) =>
    deepestFirst.find((folder) => folder === path || isInside(folder, path)) ?? '/';
  const shares = new Map<string, Share>();
  let bytes = 0;
  let entries = 0;
  let over: string | null = null;
  let spool: Spool | undefined;

  async function readRoot(root: string): Promise<void> {
    const files = new Set<string>();
    const finals: { path: string; mode: number; modifiedAt: number }[] = [];
    let isOpen = false;
    const put = async (...all: Buffer[]) => {
      spool ??= await options.openSpool();
      if (!isOpen) await spool.write(frame('W', Buffer.from(root)));
      isOpen = true;
      for (const one of all) await spool.write(one);
    };
    for await (const entry of entriesAt(options.read, root)) {
      if (entry.path === '') continue;
      const path = `${root}/${entry.path}`;
      if ([...options.covered].some((one) => one === path || isInside(one, path))) continue;
      const folder = folderOf(path);
      const target = entry.type === 'link' ? `${root}/${entry.target}` : '';
      if (!isPlain(entry) || (target !== '' && (!files.has(target) || folderOf(target) !== folder))) {
        options.onLeftOut(path);
        continue;
      }
      const share = shares.get(folder) ?? { path: folder, bytes: 0, entries: 0 };
      shares.set(folder, share);
      const size = entry.type === 'file' ? Math.ceil(entry.sizeBytes / pageBytes) * pageBytes : 0;
      share.bytes += size;
      share.entries += 1;
      bytes += size;
      entries += 1;
      if (bytes > maxContentBytes) over = `more than ${maxContentBytes} bytes`;
      if (entries > maxEntries) over = `more than ${maxEntries} files and folders`;
      if (over !== null) return;
      const name = Buffer.from(entry.path);
      const time = frame('T', u64(entry.modifiedAt), name);
      switch (entry.type) {
        case 'directory':
          finals.push(entry);
          await put(frame('M', u32((entry.mode | 0o700) & 0o1777), name));
          break;
        case 'symlink':
          await put(frame('Y', name, nul, Buffer.from(entry.target), nul), time);
          break;
        case 'link':
          await put(frame('N', name, nul, Buffer.from(entry.target), nul));
          break;
        default:
          files.add(path);
          await put(frame('F', u32(entry.mode & 0o777), u64(entry.sizeBytes), name));
          for await (const piece of entry.body) await put(...dataFrames('D', piece));
          await put(time);
      }
    }
    for (const { path, mode, modifiedAt } of finals.reverse()) {
      const name = Buffer.from(path);
      if ((mode & 0o700) !== 0o700) await put(frame('M', u32(mode & 0o1777), name));
      await put(frame('T', u64(modifiedAt), name));
    }
  }

  try {
    for (const root of options.roots) if (over === null) await readRoot(root);
    if (over !== null) {
      // The part that was read is of no use.
      await spool?.close();
      spool = await options.openSpool();
    }
    await spool?.flush();
  } catch (error) {
    await spool?.close();
    throw error;
  }
  if (spool === undefined) return null;
  return { shares: [...shares.values()], bytes, entries, over, frames: spool };
}

const nul = Buffer.alloc(1);

/** Whether its type and its name can be made in a sandbox. */
function isPlain({ type, path, target }: ArchiveEntry): boolean {
  if (!['file', 'directory', 'symlink', 'link'].includes(type)) return false;
  if (type === 'symlink' && target === '') return false;
  const parts = path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  return parts && [path, target].every(isText);
}

/** Names that are not UTF-8 were decoded with replacement characters. */
function isText(text: string): boolean {
  return Buffer.byteLength(text) <= maxPathBytes && !text.includes('\0') && !text.includes('\ufffd');
}

/**
 * Throws a Problem if the content does not fit into a run's folders. The Problem names the limit and the value that is
 * needed.
 */
export function checkFits(
  content: ImageContent,
  limits: Pick<RunRequest['limits'], 'diskBytes' | 'memoryBytes'>,
): void {
  const what = 'What the image has in its VOLUMEs and work folder';
  if (content.over !== null)
    throw new Problem(
      'disk_limit',
      `${what} is ${content.over}, which is more than a run can be given. Make the image without, or run it as a service.`,
    );
  const wanted = Math.max(...content.shares.map(diskFor));
  if (wanted > limits.diskBytes)
    throw new Problem(
      'disk_limit',
      `${what} does not fit into limits.diskBytes (${limits.diskBytes}). Raise it to ${wanted} or more.`,
    );
  const memory = memoryFor(content);
  if (memory > limits.memoryBytes)
    throw new Problem(
      'start_failed',
      `${what} is kept in memory, and does not fit into limits.memoryBytes (${limits.memoryBytes}). Raise it to ${memory} and what the program takes.`,
    );
}

export function fits(content: ImageContent, limits: Parameters<typeof checkFits>[1]): boolean {
  try {
    checkFits(content, limits);
    return true;
  } catch {
    return false;
  }
}

export const memoryFor = ({ bytes, entries }: ImageContent) =>
  bytes + entries * entryMemoryBytes + spareMemoryBytes;

/** The smallest `diskBytes` of a tmpfs that holds it. The tmpfs's own root counts as one of its files. */
function diskFor({ bytes, entries }: Share): number {
  const files = entries + 1;
  return Math.max(bytes, files > inodesFor(0) ? files * pageBytes : 0);
}
