import type { Readable, Writable } from 'node:stream';

export type OutputChunk = { stream: 'stdout' | 'stderr'; data: Buffer };

export type Attachment = {
  /**
   * Object mode: `OutputChunk`s in the order of arrival; ends after the last byte. Reading slowly stops the
   * program's writes, so memory stays bounded. Breaks with `engine_unavailable` when the connection does; a connection
   * that is closed in good order between two chunks looks like the end, so the exit itself is only what `wait` says.
   *
   * Read it to its end, or close it: Docker may not tell of an exit (`wait`) before its output has been taken.
   */
  output: Readable;
  /** `end()` closes the program's stdin; output goes on. `null` when attached without stdin. */
  stdin: Writable | null;
  close(): void;
};
