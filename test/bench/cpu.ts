import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from '../../shared/contracts/run.ts';
import type { Lab } from '../support/lab.ts';
import type { Runlet } from '../support/runlet.ts';
import { machineBusyMs, type ProcessTime, processTimes, treeOf } from './process-tree.ts';
import { storesOf } from './stores.ts';

/**
 * Where the CPU time goes, in ms. A worker's children are what it starts runtimes with; what the Engine starts containers with (shims,
 * runc) leaves its parents, so that process 1 waits for it: these two are one number. So is the init of the containers with them, and an
 * interpreter that was started ahead. The program's part is what the run's own usage says, and is taken out of it.
 */
export type CpuTimes = {
  gateway: number;
  worker: number;
  Redis: number;
  'launcher or shims, runtime, init': number;
  /** dockerd, and containerd where dockerd started it. Nothing: its process is not known, and is in the rest. */
  'dockerd, containerd'?: number;
  program: number;
  /** The benchmark itself. */
  client: number;
  /** The kernel's own work, and whatever else runs on this machine. */
  'rest of the machine': number;
};

/** From now on, until it is asked with the runs that ended. @param runlet nobody else's work moves in it at both moments */
export async function cpuAccount(lab: Lab, runlet: Runlet): Promise<(runs: Run[]) => CpuTimes> {
  const redis = await redisPid(runlet);
  const engine = enginePid(lab);
  const before = look(runlet, redis, engine);
  return (runs) => {
    const after = look(runlet, redis, engine);
    const since = (key: keyof typeof before) => after[key] - before[key];
    const program = runs.reduce((sum, { usage }) => sum + (usage.cpuMs ?? 0), 0);
    const parts = {
      gateway: since('gateway'),
      worker: since('worker'),
      Redis: since('redis'),
      'launcher or shims, runtime, init': since('started') - program,
      ...(engine !== undefined && { 'dockerd, containerd': since('engine') }),
      program,
      client: since('client'),
    };
    const known = Object.values(parts).reduce((sum, ms) => sum + ms, 0);
    return { ...parts, 'rest of the machine': since('machine') - known };
  };
}

function look(runlet: Runlet, redis: number, engine: number | undefined) {
  const all = processTimes();
  const tree = (pid = 0) => sum(treeOf(all, pid));
  const workerPid = runlet.workers[0]?.pid;
  const worker = all.find(({ pid }) => pid === workerPid)?.own ?? 0;
  const { user, system } = process.cpuUsage();
  return {
    gateway: tree(runlet.gateway.pid),
    worker,
    redis: tree(redis),
    engine: tree(engine),
    started: tree(workerPid) - worker + waitedForAbove(all),
    client: (user + system) / 1_000,
    machine: machineBusyMs(),
  };
}

/** The Engine is the benchmark’s child, or the system’s: who takes its orphans is above both. */
function waitedForAbove(all: ProcessTime[]): number {
  const byPid = new Map(all.map((one) => [one.pid, one]));
  let ms = 0;
  for (let one = byPid.get(process.ppid); one !== undefined; one = byPid.get(one.parent)) ms += one.waitedFor;
  return ms;
}

const sum = (some: ProcessTime[]) => some.reduce((ms, { own, waitedFor }) => ms + own + waitedFor, 0);

async function redisPid(runlet: Runlet): Promise<number> {
  const { redis } = storesOf(runlet);
  try {
    return Number(/^process_id:(\d+)/m.exec(await redis.info('server'))?.[1] ?? 0);
  } finally {
    redis.disconnect();
  }
}

/** As it says itself in its pid file: the lab's own Engine has one, and that of the system. */
function enginePid({ ownsEngine, dataDir, dockerHost }: Lab): number | undefined {
  const system = /^unix:\/\/(?:\/var)?\/run\/docker\.sock$/.test(dockerHost) && '/var/run/docker.pid';
  const file = ownsEngine ? join(dataDir, 'dockerd.pid') : system;
  try {
    return file ? Number(readFileSync(file, 'utf8')) : undefined;
  } catch {
    return undefined;
  }
}
