import type { Readable, Writable } from 'node:stream';

export type OutputChunk = { stream: 'stdout' | 'stderr'; data: Buffer };

export type Attachment = {
  /**
   * Object mode: `OutputChunk`s in the order of arrival; ends after the last byte. Reading slowly stops the
   * program's writes, so memory stays bounded. Breaks with `engine_unavailable` when the connection does; a connection
   * that is closed properly between two chunks looks like the end, so only `wait` says whether the program has ended.
   *
   * Read it to its end, or close it: Docker may not answer `wait` before the program's output has been read.
   */
  output: Readable;
  /** `end()` closes the program's stdin; output goes on. `null` when attached without stdin. */
  stdin: Writable | null;
  close(): void;
};
