import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Home, npmStart, type Started } from '../infra/support/npm-start.ts';
import { root } from './pages.ts';

export type Typed = { output: string; code: number };

/** Variables before a command, and the command: `A=b npm start`. */
const start = /^((?:\w+=\S+ )*)npm start$/;

/**
 * Somebody who types what a page says, as root, on a machine whose folders are a test's own. `npm start` runs in a terminal of its own, and
 * is ended by Ctrl-C before it is started again. All else is typed into another, so what a command sets is there for the next ones.
 */
export class Reader {
  readonly #home: Home;
  readonly #folder = mkdtempSync(join(tmpdir(), 'runlet-reader-'));
  #terminal: { shell: ChildProcess; lines: AsyncIterator<string> };
  #runlet: Started | undefined;

  constructor(home: Home) {
    this.#home = home;
    this.#terminal = this.#open();
  }

  /** A new terminal, in which nothing has been set. */
  async openTerminal(): Promise<void> {
    await this.#close();
    this.#terminal = this.#open();
  }

  /** Types one line. What it prints on stdout and stderr comes back together. */
  async type(command: string): Promise<Typed> {
    const line = this.#places(command);
    const [, variables] = start.exec(line) ?? [];
    return variables === undefined ? this.#inShell(line) : this.#start(variables);
  }

  /** Ctrl-C where `npm start` runs. */
  async interrupt(): Promise<void> {
    this.#runlet?.process.kill('SIGINT');
    await this.#runlet?.ended;
    this.#runlet = undefined;
  }

  async leave(): Promise<void> {
    await this.interrupt();
    await this.#close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #open() {
    const env = { ...this.#home.env, PATH: `${this.#home.binDir}:${this.#home.env.PATH}`, NO_COLOR: '1' };
    const shell = spawn('bash', ['--norc'], { cwd: root, env, stdio: ['pipe', 'pipe', 'inherit'] });
    return { shell, lines: createInterface({ input: shell.stdout })[Symbol.asyncIterator]() };
  }

  async #close(): Promise<void> {
    const { shell } = this.#terminal;
    shell.stdin?.end();
    if (shell.exitCode === null) await once(shell, 'exit');
  }

  /** What pages say of root's folders is true of the test's own. */
  #places(command: string): string {
    const { dataDir, configDir, binDir, folder } = this.#home;
    const own = command
      .replaceAll('/var/lib/runlet', dataDir)
      .replaceAll('/root/.config/runlet', configDir)
      .replaceAll('/usr/local/bin/runlet', join(binDir, 'runlet'))
      .replaceAll('/etc/runlet.env', join(folder, 'runlet.env'))
      .replaceAll('runlet-backup.tar.gz', join(folder, 'runlet-backup.tar.gz'))
      .replaceAll(/(?<=[<>] )volume\.tar/g, join(folder, 'volume.tar'));
    if (/(?:^|\s)\/(?:root|etc|usr|var)\//.test(own))
      throw new Error(`This would change the machine: ${own}`);
    return own;
  }

  async #inShell(line: string): Promise<Typed> {
    const file = join(this.#folder, 'line');
    writeFileSync(file, `${line}\n`);
    this.#terminal.shell.stdin?.write(`. '${file}' >'${file}.out' 2>&1 </dev/null; echo "$?"\n`);
    const { value } = await this.#terminal.lines.next();
    return { output: readFileSync(`${file}.out`, 'utf8').trimEnd(), code: Number(value) };
  }

  async #start(variables: string): Promise<Typed> {
    await this.interrupt();
    const { output } = await this.#inShell("env | grep '^RUNLET_'");
    const env = Object.fromEntries(
      [...output.split('\n'), ...variables.trim().split(' ')]
        .filter((pair) => pair !== '')
        .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    );
    this.#runlet = npmStart(this.#home, env);
    await this.#runlet.said('Ctrl-C stops it.');
    return { output: this.#runlet.output(), code: 0 };
  }
}
