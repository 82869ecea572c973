import { isUtf8 } from 'node:buffer';
import { fstatSync } from 'node:fs';
import { UsageError } from '../errors.ts';

export type Stdin = { stdin: string; stdinEncoding: 'utf8' | 'base64' };

const capBytes = 8 * 1024 * 1024;
/**
 * A pipe that nobody writes to and nobody closes (cron, CI, a program that started us) looks like one whose data are
 * still to come. If no byte comes within this time, the run goes on without stdin and says so. With --stdin it waits.
 */
const patienceMs = 3000;

/** Whether something was piped or redirected to us. A terminal, `/dev/null` and a closed stdin do not count. */
export function stdinIsPiped(): boolean {
  try {
    const facts = fstatSync(0);
    return facts.isFIFO() || facts.isFile() || facts.isSocket();
  } catch {
    return false;
  }
}

/**
 * Reads all of stdin. It is sent with the request, so its size is limited, and the run starts only after it has ended.
 * Returns `undefined` when it is empty, or when nothing came for a while and `wait` is not set.
 */
export async function readStdin(
  source: AsyncIterable<Uint8Array>,
  note: (text: string) => void,
  wait: boolean,
): Promise<Stdin | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const iterator = source[Symbol.asyncIterator]();
  let next = await firstChunk(iterator.next(), wait);
  if (next === undefined) {
    note('Nothing came on stdin: the run goes without. --stdin waits for it, --no-stdin does not look.');
    return undefined;
  }
  while (!next.done) {
    bytes += next.value.length;
    if (bytes > capBytes)
      throw new UsageError('stdin is larger than 8 MiB: stream it with -i, or bring the data in the image.');
    chunks.push(next.value);
    next = await iterator.next();
  }
  return bytes === 0 ? undefined : encodeStdin(Buffer.concat(chunks));
}

async function firstChunk<T>(first: Promise<T>, wait: boolean): Promise<T | undefined> {
  if (wait) return first;
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), patienceMs);
  });
  return Promise.race([first, silence]).finally(() => clearTimeout(timer));
}

/** UTF-8 text is sent as it is. Anything else is sent as base64, so that every byte arrives. */
export function encodeStdin(data: Buffer): Stdin {
  if (isUtf8(data)) return { stdin: data.toString('utf8'), stdinEncoding: 'utf8' };
  return { stdin: data.toString('base64'), stdinEncoding: 'base64' };
}
