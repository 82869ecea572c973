import { spawnSync } from 'node:child_process';
import type { ReadStream } from 'node:tty';

/**
 * The user's terminal while a remote program uses it. In raw mode every key goes to the program, Ctrl-C too. The
 * earlier mode is restored whenever this process ends in a way that still lets it run code.
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
    // Node leaves output processing on. Then the program's "cursor down" would also move to the start of the line.
    // Without stty (on Windows) there is no such processing. It is restored together with the mode.
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
