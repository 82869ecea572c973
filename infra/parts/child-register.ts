import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { endProcess, isAlive, type ProcessId } from './pids.ts';

interface Entry extends ProcessId {
  name: string;
}

/**
 * A file that lists the running children by pid and start time. It is still there after a `kill -9` of their parent. So the
 * next start can end the children that are left, and never another process with the same number.
 */
export class ChildRegister {
  readonly path: string;
  #entries: Entry[] = [];

  constructor(path: string) {
    this.path = path;
    mkdirSync(dirname(path), { recursive: true });
  }

  /** Ends the children that a former owner left running. Returns their names. */
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

  // The file is renamed into place, so a reader never sees half a file. At the end of a test the folder may already be gone.
  #write(): void {
    try {
      writeFileSync(`${this.path}.new`, `${JSON.stringify(this.#entries)}\n`, { mode: 0o600 });
      renameSync(`${this.path}.new`, this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
