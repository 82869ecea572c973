import { release, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { buildImage } from '../../infra/images/build.ts';
import { loadImage } from '../../infra/images/load.ts';
import { startEngine } from '../../infra/parts/own-engine.ts';
import { silent } from '../../infra/parts/say.ts';
import type { Run } from '../../shared/contracts/run.ts';
import type { Worker } from '../../shared/contracts/worker.ts';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { gone, sandboxesOf } from '../support/sandboxes.ts';
import { holdsForRuns } from './any-isolation.ts';

const lab = inject('lab');
const MiB = 1024 * 1024;

async function workersOf(runlet: Runlet): Promise<Worker[]> {
  return ((await (await runlet.call('GET', '/v1/workers')).json()) as { data: Worker[] }).data;
}

/** If the lab has no gVisor, it says so. */
describe.runIf(lab.gvisor)('under gVisor', () => {
  let runlet: Runlet;
  beforeAll(async () => {
    await ensureImages(lab, ['python:3.11-slim-bookworm']);
    runlet = await startRunlet(lab);
  }, 300_000);
  afterAll(() => runlet.stop());

  const inGvisor = (request: Record<string, unknown>) => runlet.run({ isolation: 'gvisor', ...request });
  const sh = (script: string, more: Record<string, unknown> = {}) =>
    inGvisor({ image: 'busybox', command: ['sh', '-c', script], ...more });

  /** A run in a sandbox that was made ahead. The test's own time limit ends the wait for one. */
  async function warm(script: string, more: Record<string, unknown> = {}): Promise<Run> {
    for (;;) {
      const run = await sh(script, more);
      if (run.startedWarm) return run;
      await sleep(200);
    }
  }

  holdsForRuns('gvisor', () => runlet, { input: 300_000, output: 2_000_000 });

  test('a worker says that it has it', async () => {
    const workers = await workersOf(runlet);
    expect(workers.map(({ isolations }) => isolations)).toEqual([['container', 'gvisor']]);
  });

  test('a program has a kernel that is not the machine’s, and the user, groups and capabilities of any run', async () => {
    const run = await sh('uname -r; dmesg | head -n 1; id; grep ^Cap /proc/self/status; touch /x; pwd');
    const [kernel, first, id, ...rest] = run.stdout.split('\n');
    expect(kernel).not.toBe(release());
    expect(first).toContain('gVisor');
    expect(id).toMatch(/^uid=(\d{10})\(runlet\) gid=\1\(runlet\) groups=\1\(runlet\)$/);
    const none = '0000000000000000';
    expect(rest).toEqual([...['Inh', 'Prm', 'Eff', 'Bnd'].map((set) => `Cap${set}:\t${none}`), '/work', '']);
    expect(run.stderr).toMatch(/\/x: (Permission denied|Read-only file system)/);
  });

  test('code in a language runs', async () => {
    const run = await inGvisor({
      language: 'python',
      files: [
        { path: 'main.py', content: 'import helper\nprint(helper.twice(int(input())))' },
        { path: 'helper.py', content: 'def twice(x): return 2 * x' },
      ],
      stdin: '21',
    });
    expect(run).toMatchObject({ status: 'succeeded', stdout: '42\n', stderr: '' });
  });

  test('limits end a program, and its container is gone', async () => {
    const late = await inGvisor({ image: 'busybox', command: ['sleep', '60'], limits: { timeoutMs: 1000 } });
    expect(late).toMatchObject({ status: 'timed_out', exitCode: 137, signal: 'SIGKILL' });
    const loud = await sh('yes', { limits: { outputBytes: 10_000 } });
    expect(loud).toMatchObject({ status: 'output_limit', outputTruncated: true });
    expect(loud.stdout).toHaveLength(10_000);
    const busy = await sh('while :; do :; done', { limits: { cpuTimeMs: 500, timeoutMs: 60_000 } });
    expect(busy).toMatchObject({ status: 'timed_out' });
    expect(busy.timings.runMs).toBeLessThan(60_000);
    const full = await sh('head -c 20000000 /dev/zero > x || stat -c %s x', {
      limits: { diskBytes: 5 * MiB },
    });
    expect(full.status).toBe('succeeded');
    expect(Number(full.stdout)).toBeLessThanOrEqual(5 * MiB);
    await gone(
      lab.dockerHost,
      [late, loud, busy, full].map(({ id }) => id),
    );
  });

  test('a cancel ends it, and its container is gone', async () => {
    const created = (await (
      await runlet.call('POST', '/v1/runs', {
        image: 'busybox',
        command: ['sh', '-c', 'echo begun; sleep 600'],
        isolation: 'gvisor',
      })
    ).json()) as Run;
    const isRunning = async () => (await sandboxesOf(lab.dockerHost, [created.id])).length > 0;
    while (!(await isRunning())) await sleep(50);
    await runlet.call('POST', `/v1/runs/${created.id}/cancel`);
    expect(await runlet.ended(created.id)).toMatchObject({ status: 'cancelled' });
    await gone(lab.dockerHost, [created.id]);
  });

  test('a sandbox made ahead serves one run, and only one with its limits', async () => {
    const first = await warm('echo mine > /tmp/mine; echo mine > /work/mine; ls /tmp /work');
    expect(first.stdout).toContain('mine');
    expect((await warm('ls /tmp /work; id -un')).stdout).toBe('/tmp:\n\n/work:\nrunlet\n');
    // In gVisor the limits of a running sandbox cannot be changed.
    const limits = { memoryBytes: 512 * MiB, cpus: 0.5, pids: 32 };
    expect(await sh('echo other', { limits })).toMatchObject({ status: 'succeeded', stdout: 'other\n' });
    expect(await warm('echo other', { limits })).toMatchObject({ status: 'succeeded', stdout: 'other\n' });
  });
});

// A second dockerd needs root.
describe.runIf(userInfo().uid === 0)('on an Engine without gVisor', () => {
  test('a run that asks for it is told so, and others run', { timeout: 180_000 }, async () => {
    const engine = await startEngine({
      socket: join(lab.dataDir, 'without/docker.sock'),
      dataRoot: join(lab.dataDir, 'without/data'),
      execRoot: join(lab.dataDir, 'without/exec'),
      pidfile: join(lab.dataDir, 'without/dockerd.pid'),
      logFile: join(lab.dataDir, 'logs/without.log'),
      second: true,
      say: silent,
    });
    onTestFinished(() => engine.stop());
    await loadImage(await buildImage('busybox', lab.imageCache, silent), engine.dockerHost);
    const runlet = await startRunlet({ ...lab, dockerHost: engine.dockerHost });
    onTestFinished(() => runlet.stop());
    const request = { image: 'busybox', command: ['echo', 'hi'] };
    const refused = await runlet.run({ ...request, isolation: 'gvisor' });
    expect(refused).toMatchObject({ status: 'errored', error: { code: 'isolation_unavailable' } });
    expect(refused.error?.detail).toContain('isolation "container"');
    expect(await runlet.run(request)).toMatchObject({ status: 'succeeded', stdout: 'hi\n' });
    expect((await workersOf(runlet))[0]?.isolations).toEqual(['container']);
  });
});
