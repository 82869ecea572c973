import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Leftover } from '../../driver.ts';
import type { Places } from './places.ts';

/** Says in a worker's folder whose it is: its Runlet, and this process. */
export async function noteWorker(folder: string, instance: string): Promise<void> {
  await writeFile(join(folder, 'instance'), instance, { mode: 0o600 });
  await writeFile(join(folder, 'process'), `${process.pid} ${await startOf(process.pid)}`, { mode: 0o600 });
}

/**
 * When a process was started, in ticks since the machine was (proc_pid_stat(5)); a pid may be another's later. `undefined`: it has ended, and may
 * wait for its parent to hear of it.
 */
async function startOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [state, ...fields] = stat.slice(stat.lastIndexOf(') ') + 2).split(' ');
  return state === 'Z' || state === 'X' ? undefined : fields[18];
}

/** Whether the worker of this folder is still there. */
async function livesOn(folder: string): Promise<boolean> {
  const [pid, start] = (await readFile(join(folder, 'process'), 'utf8').catch(() => '')).split(' ');
  return start !== undefined && (await startOf(Number(pid))) === start;
}

/** The folders of workers of this Runlet. They lie where a pin would be told of, and are held in the same way. */
export async function workersLeft(places: Places, instance: string): Promise<Leftover[]> {
  const found: Leftover[] = [];
  for (const folder of [places.workers, places.workersOnDisk])
    for (const worker of await readdir(folder).catch(() => [])) {
      const path = join(folder, worker);
      const of = await readFile(join(path, 'instance'), 'utf8').catch(() => undefined);
      // One that hangs, and counts as lost meanwhile, needs them when it goes on.
      if (of !== instance || (await livesOn(path))) continue;
      found.push({
        id: path,
        name: path,
        owner: { of: 'pin', owner: { pin: folderPin(worker), worker, instance } },
        remove: () => rm(path, { recursive: true, force: true }),
      });
    }
  return found;
}

export const folderPin = (worker: string) => `folder-${worker}`;
