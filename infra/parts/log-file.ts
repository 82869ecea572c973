import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** A child's log: two files of this size at most, so that no log grows without end. */
const maxBytes = 8 * 1024 * 1024;

/** An append-only log that turns over into `FILE.1` when it is full. Written in order, at once: it is for post-mortems. */
export class LogFile {
  readonly path: string;
  #fd: number;
  #size: number;

  constructor(path: string) {
    this.path = path;
    mkdirSync(dirname(path), { recursive: true });
    this.#fd = openSync(path, 'a', 0o600);
    this.#size = fstatSync(this.#fd).size;
  }

  write(chunk: Buffer | string): void {
    if (this.#fd < 0) return;
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (this.#size + bytes.length > maxBytes && this.#size > 0) this.#turnOver();
    try {
      writeSync(this.#fd, bytes);
      this.#size += bytes.length;
    } catch {
      // A full disk must not take the system down because of a log line.
    }
  }

  close(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }

  #turnOver(): void {
    closeSync(this.#fd);
    renameSync(this.path, `${this.path}.1`);
    this.#fd = openSync(this.path, 'a', 0o600);
    this.#size = 0;
  }
}

/** The last lines of a log, for an error message. */
export function logTail(path: string, lines = 15): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '(no log)';
  }
}
