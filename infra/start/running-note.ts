import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identify, isAlive, type ProcessId } from '../parts/pids.ts';

/** What a running `npm start` leaves in the data folder for `npm run images`. */
export interface RunningNote extends ProcessId {
  dockerHost: string;
  registry: string | undefined;
}

const pathIn = (dataDir: string) => join(dataDir, 'running.json');

/** Writes the note. Returns the function that removes it. */
export function writeRunningNote(dataDir: string, what: Omit<RunningNote, keyof ProcessId>): () => void {
  writeFileSync(pathIn(dataDir), JSON.stringify({ ...identify(process.pid), ...what }), { mode: 0o600 });
  return () => rmSync(pathIn(dataDir), { force: true });
}

/** The note of the Runlet that now runs with this data folder. */
export function readRunningNote(dataDir: string): RunningNote | undefined {
  try {
    const note = JSON.parse(readFileSync(pathIn(dataDir), 'utf8')) as RunningNote;
    return isAlive(note) ? note : undefined;
  } catch {
    return undefined;
  }
}
