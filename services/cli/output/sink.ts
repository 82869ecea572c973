import type { Writable } from 'node:stream';
import { harmlessLine } from './harmless.ts';

/**
 * A stdout or stderr that can be written to its end. It waits while the reader is slow, so that memory does not grow
 * with what a program prints. It survives a reader that has left.
 */
export class Sink {
  readonly stream: Writable & { isTTY?: boolean; columns?: number; rows?: number };
  /** Why nothing can be written any more. `EPIPE` when the reader has left, as `head` does. */
  failure: NodeJS.ErrnoException | undefined;

  constructor(stream: Writable) {
    this.stream = stream;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.failure ??= error;
    });
  }

  get isTTY(): boolean {
    return this.stream.isTTY === true;
  }

  get closed(): boolean {
    return this.failure !== undefined;
  }

  /** Resolves when the chunk has been written, or when nobody reads it any more. */
  async write(chunk: Uint8Array | string): Promise<void> {
    if (this.closed || chunk.length === 0) return;
    await new Promise<void>((resolve) => {
      this.stream.write(chunk, (error) => {
        if (error) this.failure ??= error;
        resolve();
      });
    });
  }

  /** Writes a line of our own. A program's output goes through `write`. */
  async line(text: string): Promise<void> {
    await this.write(`${harmlessLine(text)}\n`);
  }

  /** Resolves when everything before it has been written. */
  async flush(): Promise<void> {
    if (this.closed) return;
    await new Promise<void>((resolve) => this.stream.write('', () => resolve()));
  }
}
