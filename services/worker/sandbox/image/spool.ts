import { randomBytes } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';

const pieceBytes = 256 * 1024;

/**
 * Bytes that are written once. They can be read from the beginning any number of times, also by several readers at
 * once.
 */
export type Spool = {
  bytes(): number;
  write(data: Buffer): Promise<void>;
  /** Resolves when everything written so far is in the file. */
  flush(): Promise<void>;
  read(): AsyncGenerator<Buffer>;
  /** No new reader may begin. Present readers go on to the end. Idempotent. */
  close(): Promise<void>;
};

/** A file whose name is removed at once: nothing is left of it, however the worker ends. */
export async function createSpool(folder: string): Promise<Spool> {
  const path = join(folder, `.spool-${randomBytes(8).toString('hex')}`);
  const file: FileHandle = await open(path, 'wx+', 0o600);
  await unlink(path);
  let written = 0;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let readers = 0;
  let isClosed = false;

  async function flush(): Promise<void> {
    const data = Buffer.concat(waiting);
    waiting = [];
    waitingBytes = 0;
    for (let at = 0; at < data.length; ) {
      const { bytesWritten } = await file.write(data, at, data.length - at, written);
      at += bytesWritten;
      written += bytesWritten;
    }
  }

  const leave = async () => {
    if (isClosed && readers === 0) await file.close();
  };

  return {
    bytes: () => written + waitingBytes,
    async write(data) {
      waiting.push(data);
      waitingBytes += data.length;
      if (waitingBytes >= pieceBytes) await flush();
    },
    flush,
    async *read() {
      if (isClosed) throw new Error('read of a spool that is closed');
      readers += 1;
      try {
        for (let at = 0; at < written; ) {
          // A new buffer for each piece: it is still being sent to a socket while the next one is read.
          const piece = Buffer.allocUnsafe(Math.min(pieceBytes, written - at));
          const { bytesRead } = await file.read(piece, 0, piece.length, at);
          if (bytesRead === 0) throw new Error('a spool is shorter than what was written');
          at += bytesRead;
          yield piece.subarray(0, bytesRead);
        }
      } finally {
        readers -= 1;
        await leave();
      }
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await leave();
    },
  };
}
