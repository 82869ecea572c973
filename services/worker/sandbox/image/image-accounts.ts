import type { Readable } from 'node:stream';
import { Problem } from '../../../../shared/problems.ts';
import { type Found, maxAccountBytes } from '../users/accounts.ts';
import { type ArchiveEntry, entriesAt } from './image-archive.ts';

/** /etc of an ordinary image has a megabyte or two. If it has more than this, the two files are read one by one. */
const maxFolderBytes = 16 * 1024 * 1024;
const maxFolderEntries = 20_000;

type Read = (path: string) => Promise<Readable | null>;

/** A file and its path: /etc/passwd, or the target of that link. */
export type AccountFile = { found: Found; path: string };

/**
 * Reads /etc/passwd and /etc/group of an image. Both are read together with the whole of /etc: the engine starts a
 * process for each request (dockerd executes itself anew: 50 ms on two cores), and /etc is small. Throws a Problem
 * `start_failed` if one of them is a folder or the like.
 */
export async function readAccounts(read: Read): Promise<{ passwd: AccountFile; group: AccountFile }> {
  const found = new Map<string, AccountFile>();
  let bytes = 0;
  let count = 0;
  let isWhole = true;
  for await (const entry of entriesAt(read, '/etc')) {
    bytes += entry.sizeBytes;
    count += 1;
    if (bytes > maxFolderBytes || count > maxFolderEntries) {
      isWhole = false;
      break;
    }
    const isOne = entry.path === 'passwd' || entry.path === 'group';
    if (isOne && entry.type === 'file')
      found.set(entry.path, { found: await contentOf(entry), path: `/etc/${entry.path}` });
    else if (isOne) isWhole = false;
    if (found.size === 2) break;
  }
  const one = async (name: string): Promise<AccountFile> =>
    found.get(name) ??
    (isWhole ? { found: 'absent', path: `/etc/${name}` } : await readOne(read, `/etc/${name}`));
  return { passwd: await one('passwd'), group: await one('group') };
}

async function readOne(read: Read, path: string): Promise<AccountFile> {
  let isThere = false;
  const noted: Read = async (at) => {
    const tar = await read(at);
    isThere ||= tar !== null;
    return tar;
  };
  for await (const entry of entriesAt(noted, path)) {
    if (entry.type !== 'file') throw noFile(path);
    return { found: await contentOf(entry), path: entry.root };
  }
  // Nothing can be mounted on a link without a target.
  return { found: isThere ? 'unusable' : 'absent', path };
}

/** The engine reads both files when it starts a container. If one were a pipe, it would wait for ever. */
function noFile(path: string): Problem {
  return new Problem(
    'start_failed',
    `The image’s ${path} is no file, and no container can be started without. Make it one in the image, or remove it.`,
  );
}

async function contentOf(entry: ArchiveEntry): Promise<Found> {
  if (entry.sizeBytes > maxAccountBytes) return 'unusable';
  const pieces: Buffer[] = [];
  for await (const piece of entry.body) pieces.push(piece);
  return Buffer.concat(pieces);
}
