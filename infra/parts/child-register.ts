import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { endProcess, isAlive, type ProcessId } from './pids.ts';

interface Entry extends ProcessId {
  name: string;
}

/**
 * A file that names the children that are running, by pid and start time. It outlives a `kill -9` of their parent, so
 * the next start ends what is left, and nothing else that happens to have the same number.
 */
export class ChildRegister {
  readonly path: string;
  #entries: Entry[] = [];

  constructor(path: string) {
    this.path = path;
    mkdirSync(dirname(path), { recursive: true });
  }

  /** Ends what a former owner left running. Returns the names of what had to be ended. */
  async endLeftovers(graceMs = 8_000): Promise<string[]> {
    const left = this.#read().filter(isAlive);
    await Promise.all(left.map((entry) => endProcess(entry, graceMs)));
    this.#entries = [];
    this.#write();
    return left.map((entry) => entry.name);
  }

  add(name: string, id: ProcessId): void {
    this.#entries.push({ name, ...id });
    this.#write();
  }

  remove(id: ProcessId): void {
    this.#entries = this.#entries.filter(
      (entry) => entry.pid !== id.pid || entry.startTicks !== id.startTicks,
    );
    this.#write();
  }

  #read(): Entry[] {
    try {
      const parsed: unknown = JSON.parse(readFileSync(this.path, 'utf8'));
      return Array.isArray(parsed) ? (parsed as Entry[]) : [];
    } catch {
      return [];
    }
  }

  // Renamed into place: a reader never sees half a file. The folder may be gone already at the end of a test.
  #write(): void {
    try {
      writeFileSync(`${this.path}.new`, `${JSON.stringify(this.#entries)}\n`, { mode: 0o600 });
      renameSync(`${this.path}.new`, this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
