import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { docker } from '../support/docker.ts';
import type { Runlet } from '../support/runlet.ts';
import { type Context, type Driven, withDrivers, withoutPool } from './context.ts';
import { heldBytes } from './held-memory.ts';
import { compared, type Row } from './measure.ts';
import { processTimes, treeOf } from './process-tree.ts';
import { drained } from './settled.ts';

const MiB = 1024 * 1024;
const limits = { memoryBytes: 16 * MiB, cpus: 0.5, pids: 8, diskBytes: MiB, timeoutMs: 600_000 };
const command = ['sleep', '600'];
const image = 'busybox';
/** Those that sleep use no processor time. */
const env = { ...withoutPool, RUNLET_CPU_OVERCOMMIT: '64' };

/** Bytes for each: what the machine has less of, and what can be counted as theirs, whatever else runs on this machine. */
type Held = { gone: number; counted: number };

/** How many runs that only sleep fit into a GiB, beside `docker run --detach`, whose client is gone by then. */
export function density(context: Context): Promise<Row[]> {
  const count = Math.min(64, Math.max(4, context.rounds));
  return withDrivers(context, env, async (driven) => {
    context.say(`density: ${count} containers …`);
    const peer = await ofDocker(context, count);
    const rows: Row[] = [];
    for (const one of driven) {
      context.say(`density: ${count} runs, ${one.driver} …`);
      rows.push(
        ...rowsOf(
          context,
          `${one.driver}: ${count} runs that sleep`,
          await ofRuns(context, one, count),
          peer,
        ),
      );
    }
    return rows;
  });
}

function rowsOf({ say }: Context, what: string, mine: Held, peer: Held): Row[] {
  const perGiB = (bytes: number) => (1024 * MiB) / bytes;
  const row = (how: string, key: keyof Held): Row[] => {
    // Other programs can give back more than these take.
    if (mine[key] <= 0 || peer[key] <= 0) {
      say(
        `without ${what}, by ${how}: the memory of this machine moves by itself; more rounds make it more of them`,
      );
      return [];
    }
    const pair: [number, number] = [mine[key], peer[key]];
    const [ours, theirs] = pair.map(perGiB) as [number, number];
    return [
      compared(`${what}, in a GiB, by ${how}, vs docker run -d`, [ours, theirs], '/GiB'),
      compared(`${what}, each, by ${how}, vs docker run -d`, [pair[0] / MiB, pair[1] / MiB], 'MiB', '', {
        digits: 2,
      }),
    ];
  };
  return [...row('MemAvailable', 'gone'), ...row('cgroups and what holds them', 'counted')];
}

async function availableBytes(): Promise<number> {
  // What ended a moment ago is given back a little later.
  await sleep(1_000);
  const [, kB = ''] = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8')) ?? [];
  return Number(kB) * 1024;
}

async function ofRuns(context: Context, { runlet }: Driven, count: number): Promise<Held> {
  const { raw } = context;
  const worker = runlet.workers[0]?.pid ?? 0;
  const belowWorker = () => treeOf(processTimes(), worker).map(({ pid }) => pid);
  // What is loaded and kept once is there before.
  await runlet.run({ image, command: ['true'] });
  await drained(context, runlet);
  const earlier = new Set(belowWorker());
  const before = await availableBytes();
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const response = await runlet.call('POST', '/v1/runs', { image, command, limits });
    ids.push(((await response.json()) as { id: string }).id);
  }
  try {
    for (const id of ids) await running(runlet, id);
    const gone = before - (await availableBytes());
    const own = heldBytes(
      belowWorker().filter((pid) => !earlier.has(pid)),
      worker,
    );
    const counted = own + (await heldByEngine(context, await raw.containersOfRuns()));
    return { gone: gone / count, counted: counted / count };
  } finally {
    await Promise.all(ids.map((id) => runlet.call('POST', `/v1/runs/${id}/cancel`)));
    await Promise.all(ids.map((id) => runlet.ended(id)));
    await drained(context, runlet);
  }
}

async function running(runlet: Runlet, id: string): Promise<void> {
  for (;;) {
    const run = (await (await runlet.call('GET', `/v1/runs/${id}`)).json()) as { status: string };
    if (run.status === 'running') return;
    if (!/^(queued|pulling)$/.test(run.status)) throw new Error(`a run that sleeps: ${JSON.stringify(run)}`);
    await sleep(50);
  }
}

async function ofDocker(context: Context, count: number): Promise<Held> {
  const { dockerHost } = context.lab;
  const options = ['--detach', '--network', 'none', '--memory', `${limits.memoryBytes}`];
  const ids: string[] = [];
  const before = await availableBytes();
  try {
    for (let i = 0; i < count; i += 1)
      ids.push(await docker(dockerHost, 'run', ...options, image, ...command));
    const gone = before - (await availableBytes());
    return { gone: gone / count, counted: (await heldByEngine(context, ids)) / count };
  } finally {
    if (ids.length > 0) await docker(dockerHost, 'rm', '-f', ...ids);
  }
}

/** By containers, and by the shim that is the parent of each one's first process. */
async function heldByEngine({ raw }: Context, ids: string[]): Promise<number> {
  const first = new Set(await Promise.all(ids.map((id) => raw.pidOf(id))));
  const shims = processTimes().flatMap(({ pid, parent }) => (first.has(pid) ? [parent] : []));
  return heldBytes([...first, ...new Set(shims)], shims[0] ?? 0);
}
