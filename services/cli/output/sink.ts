import type { Writable } from 'node:stream';
import { harmlessLine } from './harmless.ts';

/**
 * A stdout or stderr that can be written to its end: waits while the reader is slow (so that memory stays flat
 * whatever a program prints), and survives a reader that went away.
 */
export class Sink {
  readonly stream: Writable & { isTTY?: boolean; columns?: number; rows?: number };
  /** Why nothing can be written any more; `EPIPE` when the reader left, as `head` does. */
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

  /** Resolves when the chunk has left our hands, or when nobody takes it any more. */
  async write(chunk: Uint8Array | string): Promise<void> {
    if (this.closed || chunk.length === 0) return;
    await new Promise<void>((resolve) => {
      this.stream.write(chunk, (error) => {
        if (error) this.failure ??= error;
        resolve();
      });
    });
  }

  /** A line of ours; what a program wrote goes by `write`. */
  async line(text: string): Promise<void> {
    await this.write(`${harmlessLine(text)}\n`);
  }

  /** Resolves when all that was written before has left. */
  async flush(): Promise<void> {
    if (this.closed) return;
    await new Promise<void>((resolve) => this.stream.write('', () => resolve()));
  }
}
