import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { waitUntil } from '../../infra/parts/pids.ts';
import type { Run } from '../../shared/contracts/run.ts';
import type { Worker } from '../../shared/contracts/worker.ts';
import { docker } from '../support/docker.ts';
import { sandboxesOn } from '../support/sandboxes.ts';
import { type Stack, startStack } from './support/stack.ts';

const lab = inject('lab');
const isLocal = lab.dockerHost.startsWith('unix://') && process.getuid?.() === 0;
const state = '/run/runlet';
const pins = ['--filter', 'name=runlet-pin-', '--format', '{{.Names}}'];

describe.runIf(isLocal)('infra/compose/direct.yml', () => {
  let stack: Stack;

  beforeAll(async () => {
    const engineData = await docker(lab.dockerHost, 'info', '--format', '{{.DockerRootDir}}');
    stack = await startStack(lab, {
      overlays: ['infra/compose/direct.yml'],
      env: { RUNLET_ENGINE_DATA: engineData, RUNLET_DRAIN_MS: '0' },
    });
  }, 900_000);

  afterAll(() => stack?.remove(), 120_000);

  const workers = async () => {
    const { data } = (await (await stack.call('GET', '/v1/workers')).json()) as { data: Worker[] };
    return data;
  };

  const pidOfWorker = async () => {
    const id = await stack.container('worker');
    return Number(await docker(lab.dockerHost, 'inspect', '--format', '{{.State.Pid}}', id));
  };

  const runOf = async (id: string) => (await (await stack.call('GET', `/v1/runs/${id}`)).json()) as Run;

  /** What there is of runs on the machine: sandboxes' owners, bundles, state and cgroups have the run in their names. */
  const traces = (names: string[]) => {
    const folders = ['owners', 'boxes', 'runtime'].map((folder) => join(state, folder));
    for (const hierarchy of ['', ...readdirSync('/sys/fs/cgroup')])
      folders.push(join('/sys/fs/cgroup', hierarchy, 'runlet'));
    return folders
      .filter((folder) => existsSync(folder))
      .flatMap((folder) => readdirSync(folder).map((one) => join(folder, one)))
      .filter((path) => names.some((name) => path.includes(name)));
  };

  /** Processes whose arguments have this text. */
  const processesWith = (text: string) =>
    readdirSync('/proc').filter((pid) => {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    });

  it('says that the direct driver is the worker’s', async () => {
    expect(await workers()).toMatchObject([
      {
        status: 'ready',
        drivers: [
          { name: 'oci', runtime: expect.stringMatching(/^crun \d/), unavailable: null },
          { name: 'engine', unavailable: null },
        ],
      },
    ]);
  });

  it('runs programs in containers that the Engine does not have, and writes where a run may', async () => {
    const hello = await stack.post('hello-world');
    expect(hello).toMatchObject({ status: 200, run: { status: 'succeeded', exitCode: 0 } });
    expect(hello.run.stdout).toContain('Hello from Docker!');
    for (const writable of [false, true]) {
      const { run } = await stack.post('node:24-bookworm-slim', {
        writable,
        command: [
          'sh',
          '-c',
          'echo kept > /var/tmp/a; cat /var/tmp/a; grep -E "^(CapEff|Seccomp):" /proc/self/status',
        ],
      });
      expect(run).toMatchObject({ status: 'succeeded', error: null });
      expect(run.stdout.replaceAll('\t', ' ')).toBe(
        `${writable ? 'kept\n' : ''}CapEff: 0000000000000000\nSeccomp: 2\n`,
      );
    }
    const held = await docker(lab.dockerHost, 'ps', '--all', ...pins);
    expect(held.split('\n').length).toBeGreaterThanOrEqual(2);
  });

  it('keeps an artifact, and ends a run that has too much memory', async () => {
    const kept = await stack.post('busybox', {
      command: ['sh', '-c', 'mkdir out; echo kept > out/a.txt'],
      artifacts: ['out/**'],
    });
    expect(kept.run).toMatchObject({ status: 'succeeded', artifacts: [{ path: 'out/a.txt', sizeBytes: 5 }] });
    const much = await stack.post('busybox', {
      limits: { memoryBytes: 2 ** 24 },
      command: ['sh', '-c', 'x=x; while :; do x=$x$x; done'],
    });
    expect(much.run).toMatchObject({ status: 'out_of_memory' });
  });

  it('gives the worker the capabilities that are named, no new ones, and no root to write to', async () => {
    const status = readFileSync(`/proc/${await pidOfWorker()}/status`, 'utf8').replaceAll('\t', ' ');
    // CHOWN to SETPCAP (the first nine), NET_ADMIN, SYS_CHROOT, SYS_PTRACE, SYS_ADMIN, MKNOD, SETFCAP.
    const named = '00000000882c11ff';
    expect(status.split('\n')).toEqual(
      expect.arrayContaining([`CapEff: ${named}`, `CapBnd: ${named}`, 'NoNewPrivs: 1', 'Seccomp: 0']),
    );
    await expect(stack.inside('worker', 'touch', '/app/written')).rejects.toThrow('Read-only file system');
  });

  it('leaves egress to the Engine', async () => {
    const { run } = await stack.post('busybox', { network: 'egress', command: ['ip', 'route'] });
    expect(run).toMatchObject({ status: 'succeeded', error: null });
    expect(run.stdout).toContain('default via ');
  });

  it('leaves nothing of a worker that was killed, once the next one is there', async () => {
    const mark = `${3_600 + Math.floor(Math.random() * 1e6)}`;
    const started = await Promise.all(
      [false, true].map(async (writable) => {
        const answer = await stack.call('POST', '/v1/runs', {
          ...{ image: 'busybox', writable, limits: { timeoutMs: 600_000 } },
          command: ['sh', '-c', `echo begun > /tmp/begun; exec sleep ${mark}`],
        });
        return ((await answer.json()) as Run).id;
      }),
    );
    await expect.poll(() => processesWith(`sleep\0${mark}`), { timeout: 60_000 }).toHaveLength(2);
    const made = await sandboxesOn(lab.dockerHost);
    expect(made.filter(({ driver, run = '' }) => driver === 'engine' && started.includes(run))).toEqual([]);
    const [before] = await workers();
    const ofBefore = before?.id ?? '';
    const ofIt = traces([ofBefore, ...started]);
    expect(ofIt.filter((path) => path.includes('/cgroup/'))).not.toEqual([]);

    // By its number: what `docker kill` ends is not started again.
    process.kill(await pidOfWorker(), 'SIGKILL');

    const isBack = async () => {
      const [now, ...more] = await workers();
      return more.length === 0 && now !== undefined && now.id !== ofBefore && now.status === 'ready';
    };
    await expect.poll(isBack, { timeout: 90_000, interval: 500 }).toBe(true);
    for (const id of started) {
      await expect.poll(async () => (await runOf(id)).status, { timeout: 60_000 }).toBe('errored');
      expect((await runOf(id)).error).toMatchObject({ code: 'worker_lost' });
    }
    await expect.poll(() => processesWith(`sleep\0${mark}`), { timeout: 60_000 }).toEqual([]);
    await expect.poll(() => traces([ofBefore, ...started]), { timeout: 60_000 }).toEqual([]);
    const onDisk = async () =>
      (await stack.inside('worker', 'find', '/var/lib/runlet/sandboxes', '-mindepth', '1', '-maxdepth', '2'))
        .split('\n')
        .filter((path) => !path.endsWith('/workers'));
    const [now] = await workers();
    await expect.poll(onDisk, { timeout: 60_000 }).toEqual([expect.stringContaining(`/workers/${now?.id}`)]);
    expect(await stack.post('hello-world')).toMatchObject({ run: { status: 'succeeded' } });
  });

  it('leaves nothing behind when it is taken down', async () => {
    const ids = (await workers()).map(({ id }) => id);
    await stack.compose(['down', '--volumes', '--timeout', '20']);
    expect(await docker(lab.dockerHost, 'ps', '--all', ...pins)).toBe('');
    await waitUntil(() => traces(ids).length === 0, 10_000, 200);
    expect(traces(ids)).toEqual([]);
    expect(readdirSync(join(state, 'workers')).filter((id) => ids.includes(id))).toEqual([]);
  });
});
