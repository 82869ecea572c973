import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type RunningRedis, startRedis } from '../../infra/parts/redis.ts';
import type { Run } from '../../shared/contracts/run.ts';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { connectRedis } from '../../shared/redis.ts';
import { type Program, type Runlet, startRunlet } from '../support/runlet.ts';
import { sandboxesOn } from '../support/sandboxes.ts';
import { type SecondEngine, startSecondEngine } from '../support/second-engine.ts';
import { chanceOf } from './chance.ts';
import { storeVictim, torment, victim } from './torment.ts';

const lab = inject('lab');
const seed = Number(process.env.RUNLET_TEST_SEED ?? Date.now() % 1_000_000);
/** More of both by hand: 500 runs, 12 deaths of each. */
const wanted = Number(process.env.RUNLET_TEST_RUNS ?? 60);
const times = Number(process.env.RUNLET_TEST_DEATHS ?? 2);
const retries = 3;

// An engine of its own takes root, and so does the driver.
describe.runIf(userInfo().uid === 0)('the driver "oci"', () => {
  let engine: SecondEngine;
  let redis: RunningRedis;
  let runlet: Runlet;
  const folder = join(lab.dataDir, 'redis-of-direct-driver');
  const start = () =>
    startRedis({ folder, logFile: join(lab.dataDir, 'logs', 'redis-of-direct-driver.log'), say: () => {} });

  beforeAll(async () => {
    console.log(`RUNLET_TEST_SEED=${seed}`);
    engine = await startSecondEngine(lab, 'direct', ['busybox']);
    redis = await start();
    runlet = await startRunlet(
      { dockerHost: engine.dockerHost, redisUrl: redis.url },
      { env: { RUNLET_DRIVER: 'oci' } },
    );
  });
  afterAll(async () => {
    await runlet?.stop();
    await redis?.child.stop();
    await engine?.stop();
  });

  /** Undefined: it was refused, or broke off. It may be stored all the same. */
  async function post(n: number): Promise<{ id: string; retries: number } | undefined> {
    const request = {
      image: 'busybox',
      command: ['sh', '-c', n % 3 === 0 ? `echo ${n}; sleep 1` : `echo ${n}`],
      writable: n % 4 === 1,
      limits: { memoryBytes: 16_777_216, cpus: 0.25 },
      retries: n % 5 === 0 ? 0 : retries,
    };
    const response = await runlet.call('POST', '/v1/runs', request).catch(() => undefined);
    const id = response?.headers.get('location')?.split('/').at(-1);
    await response?.text().catch(() => {});
    return response?.status === 202 && id !== undefined ? { id, retries: request.retries } : undefined;
  }

  const get = async (id: string): Promise<Run> => {
    const response = await runlet.call('GET', `/v1/runs/${id}`);
    if (!response.ok) throw new Error(`GET ${id}: ${response.status}`);
    return (await response.json()) as Run;
  };

  test('whatever is killed, and when: each run ends once, and nothing is left of it', async () => {
    let worker = runlet.workers[0] as Program;
    const posting = (async () => {
      const chance = chanceOf(seed, 'posts');
      const counted: { id: string; retries: number }[] = [];
      for (let n = 0; counted.length < wanted; n += 1) {
        const posted = await post(n);
        if (posted !== undefined) counted.push(posted);
        await chance.pause(20, 180);
      }
      return counted;
    })();
    const engineVictim = () => ({ kill: () => engine.kill(), dead: () => false });
    const launchers = (async () => {
      const chance = chanceOf(seed, 'launcher');
      for (let i = 0; i < times * 2; i += 1) {
        await chance.pause(1_000, 5_000);
        for (const pid of childrenOf(worker.pid)) process.kill(pid, 'SIGKILL');
      }
    })();
    const [counted] = await Promise.all([
      posting,
      launchers,
      torment(
        'worker',
        victim(worker),
        async () => {
          worker = await runlet.startWorker();
          return victim(worker);
        },
        { times, chance: chanceOf(seed, 'worker') },
      ),
      torment(
        'redis',
        storeVictim(redis),
        async () => {
          redis = await start();
          return storeVictim(redis);
        },
        { times, chance: chanceOf(seed, 'redis') },
      ),
      torment(
        'engine',
        engineVictim(),
        async () => {
          await engine.start();
          return engineVictim();
        },
        { times, chance: chanceOf(seed, 'engine') },
      ),
    ]);

    const keys = keysFor(runlet.prefix);
    const look = connectRedis(redis.url, 'loop', createLog('test', 'silent'));
    await expect.poll(() => look.zcard(keys.open), { timeout: 90_000 }).toBe(0);
    const instance = (await look.get(keys.instance)) ?? '';
    look.disconnect();
    const ends: Record<string, number> = {};
    for (const { id, retries: allowed } of counted) {
      const run = await get(id);
      ends[run.status] = (ends[run.status] ?? 0) + 1;
      if (run.status !== 'succeeded') {
        expect(run).toMatchObject({ status: 'errored', error: { code: 'worker_lost' } });
        expect(run.attempt).toBeGreaterThan(allowed);
      } else expect(run.stdout.split('\n')).toHaveLength(2);
      const events = await (await runlet.call('GET', `/v1/runs/${id}/events`)).text();
      expect(events.match(/^event: exit$/gm)).toHaveLength(1);
    }
    console.log(`ends: ${JSON.stringify(ends)}`);
    // G3: ten seconds. What waits for runs is this worker's own.
    const strange = async () => {
      const all = await sandboxesOn(engine.dockerHost);
      const { worker: id } = JSON.parse(worker.lines.find((line) => line.includes('"ready"')) ?? '{}');
      const own = all.filter((one) => one.warm !== undefined && one.worker === id);
      return all.filter((one) => one.instance === instance && !own.includes(one)).map(({ id }) => id);
    };
    const until = performance.now() + 15_000;
    while ((await strange()).length > 0 && performance.now() < until) await sleep(500);
    expect(await strange()).toEqual([]);
    expect(await cgroupsWithoutRecord()).toEqual([]);
  });
});

/** The launcher is the worker's only child that lives on. */
function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/status`, 'utf8').includes(`PPid:\t${parent}\n`) &&
          readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'launcher'
        );
      } catch {
        return false;
      }
    });
}

/** Cgroups and folders of sandboxes of which no record says whose they are: nobody would remove them. */
async function cgroupsWithoutRecord(): Promise<string[]> {
  const state = '/run/runlet';
  const known = new Set((await readdir(join(state, 'owners'))).map((file) => file.replace(/\.json$/, '')));
  const found: string[] = [];
  for (const folder of ['boxes', 'runtime'])
    for (const name of await readdir(join(state, folder))) found.push(name);
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  for (const hierarchy of mounts.match(/\/sys\/fs\/cgroup\S*/g) ?? [])
    for (const name of await readdir(join(hierarchy, 'runlet')).catch(() => []))
      if (name.startsWith('runlet-')) found.push(name);
  return [...new Set(found)].filter((name) => !known.has(name));
}
