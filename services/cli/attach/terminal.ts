import { spawnSync } from 'node:child_process';
import type { ReadStream } from 'node:tty';

/**
 * The user's terminal while a program on the other side has it. In raw mode every key goes to the program, Ctrl-C
 * too; what the terminal was before comes back on every way out of this process that leaves us a word.
 */
export class RawTerminal {
  readonly #stdin: ReadStream;
  #raw = false;
  readonly #restore = () => this.release();
  readonly #quit = () => {
    this.release();
    process.kill(process.pid, 'SIGQUIT');
  };

  constructor(stdin: ReadStream) {
    this.#stdin = stdin;
  }

  take(): void {
    if (this.#raw) return;
    this.#raw = true;
    process.on('exit', this.#restore);
    process.once('SIGQUIT', this.#quit);
    this.#stdin.setRawMode(true);
    // Node leaves output processing on, which would make the program's "cursor down" the start of the next line.
    // Without stty (Windows) there is none. What was before comes back with the mode.
    spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  }

  release(): void {
    if (!this.#raw) return;
    this.#raw = false;
    process.off('exit', this.#restore);
    process.off('SIGQUIT', this.#quit);
    this.#stdin.setRawMode(false);
  }
}

export type Size = { cols: number; rows: number };

/** `undefined`: it is no terminal, or does not know. */
export function sizeOf({ columns: cols, rows }: NodeJS.WriteStream): Size | undefined {
  return cols > 0 && rows > 0 ? { cols, rows } : undefined;
}

/** Calls back with the terminal's size, now and whenever it changes (SIGWINCH); the answer ends it. */
export function watchSize(stdout: NodeJS.WriteStream, changed: (size: Size) => void): () => void {
  const tell = () => {
    const size = sizeOf(stdout);
    if (size !== undefined) changed(size);
  };
  tell();
  stdout.on('resize', tell);
  return () => stdout.off('resize', tell);
}
