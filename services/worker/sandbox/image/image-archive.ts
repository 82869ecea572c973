import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { extract } from 'tar-stream';

/** One thing that lies in an image. Its body is to be read before the next one is asked for, or not at all. */
export type ArchiveEntry = {
  /** Where it was asked for, links followed. */
  root: string;
  /** Below the root; the root itself is empty. */
  path: string;
  type: string;
  mode: number;
  sizeBytes: number;
  /** Seconds since 1970. */
  modifiedAt: number;
  /** Of a link: what it says. Of a hard link: the path, below the root, of the file that it is. */
  target: string;
  body: AsyncIterable<Buffer>;
};

/** As the kernel, but for its 40. */
const maxLinks = 8;

/**
 * What an engine's archive has at a path, the path itself first; nothing where nothing is. A link at its end is followed within the
 * image, since `read` never leaves it. Whatever it holds is an image's, and so may be anything: throws an Error on what is no archive.
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

/** An archive's names begin with the last part of the path that was asked for. */
function below(name: string): string {
  const end = name.endsWith('/') ? name.length - 1 : name.length;
  const slash = name.indexOf('/');
  return slash < 0 ? '' : name.slice(slash + 1, end);
}
