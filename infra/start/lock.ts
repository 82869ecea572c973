import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identify, isAlive, type ProcessId } from '../parts/pids.ts';

/** Locks the data folder for this process. Throws if a running Runlet has it. Returns the function that unlocks it. */
export function lockDataFolder(dataDir: string): () => void {
  const path = join(dataDir, 'lock');
  const own = `${path}.${process.pid}`;
  const me = identify(process.pid);
  writeFileSync(own, JSON.stringify(me), { mode: 0o600 });
  try {
    // A hard link appears with its content or not at all, and fails if the name is taken.
    for (let tries = 0; tries < 5; tries++) {
      try {
        linkSync(own, path);
        return () => rmSync(path, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = readHolder(path);
      if (holder !== undefined && isAlive(holder)) throw taken(dataDir, holder.pid);
      rmSync(path, { force: true });
    }
    throw taken(dataDir, 0);
  } finally {
    rmSync(own, { force: true });
  }
}

function readHolder(path: string): ProcessId | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessId;
  } catch {
    return undefined;
  }
}

function taken(dataDir: string, pid: number): Error {
  return new Error(
    `Runlet is already running on ${dataDir} (process ${pid}). Stop that one with Ctrl-C or 'kill ${pid}', ` +
      'or give this one a folder and a port of its own: RUNLET_DATA_DIR=… RUNLET_PORT=… npm start',
  );
}
