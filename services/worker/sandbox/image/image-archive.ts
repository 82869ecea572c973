import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { extract } from 'tar-stream';

/** One file, folder or link of an image. Its body must be read before the next entry is asked for, or not at all. */
export type ArchiveEntry = {
  /** The path that was asked for, with links followed. */
  root: string;
  /** The path below the root. Empty for the root itself. */
  path: string;
  type: string;
  mode: number;
  sizeBytes: number;
  /** Seconds since 1970. */
  modifiedAt: number;
  /** For a link: its text. For a hard link: the path, below the root, of its file. */
  target: string;
  body: AsyncIterable<Buffer>;
};

/** The kernel does the same, but its limit is 40. */
const maxLinks = 8;

/**
 * The entries of an engine's archive at a path, the path itself first. There are none if nothing is there. A link at
 * the end of the path is followed within the image, since `read` never leaves it. The content comes from an image and
 * is not trusted: throws an Error if it is not an archive.
 */
export async function* entriesAt(
  read: (path: string) => Promise<Readable | null>,
  asked: string,
): AsyncGenerator<ArchiveEntry> {
  let root = asked;
  for (let links = 0; links <= maxLinks; links += 1) {
    const tar = await read(root);
    if (tar === null) return;
    const entries = extract();
    tar.on('error', (error) => entries.destroy(error));
    tar.pipe(entries);
    let leads: string | undefined;
    try {
      for await (const entry of entries) {
        const { name, type, mode, size, mtime, linkname } = entry.header;
        const path = below(name);
        if (path === '' && type === 'symlink') {
          leads = posix.resolve(posix.dirname(root), linkname ?? '');
          break;
        }
        const target = type === 'link' ? below(linkname ?? '') : (linkname ?? '');
        yield {
          root,
          path,
          type: type ?? '',
          mode: mode ?? 0,
          sizeBytes: size ?? 0,
          modifiedAt: Math.max(0, Math.floor((mtime?.getTime() ?? 0) / 1000)),
          target,
          body: entry as AsyncIterable<Buffer>,
        };
        entry.resume();
      }
    } finally {
      tar.destroy();
      entries.destroy();
    }
    if (leads === undefined) return;
    root = leads;
  }
}

/** The names in an archive begin with the last part of the requested path. */
function below(name: string): string {
  const end = name.endsWith('/') ? name.length - 1 : name.length;
  const slash = name.indexOf('/');
  return slash < 0 ? '' : name.slice(slash + 1, end);
}
