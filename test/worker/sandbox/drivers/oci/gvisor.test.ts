import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import type { OwnSandbox } from '../../../../../services/worker/sandbox/driver.ts';
import { begin } from '../../../../infra/sandbox-init/support.ts';
import { owner, request, sandboxOf } from '../../../engine/support.ts';
import { type OciBench, open } from './open.ts';

const MiB = 1024 * 1024;
const cgroups = '/sys/fs/cgroup';
const isV2 = existsSync(`${cgroups}/cgroup.controllers`);
const { instance } = owner();
const shape = { isolation: 'gvisor', network: 'none', writable: false } as const;

/** gVisor's runtime, started as crun is: by the worker. (What a run in it is like, test/whole/gvisor.test.ts says.) */
describe.runIf(inject('lab').gvisor)('gVisor without the Engine', () => {
  let bench: OciBench;
  beforeAll(async () => {
    bench = await open(inject('lab').dockerHost);
    // Once one was seen to start. The hook's own time limit ends the wait.
    while (!bench.driver.isolations().includes('gvisor')) await sleep(50);
  });
  afterAll(async () => {
    await bench.driver.close();
    const traces = await bench.traces(instance);
    bench.close();
    expect(traces).toEqual([]);
  });

  async function make(limits: Record<string, unknown> = {}): Promise<OwnSandbox> {
    const asked = request({ isolation: 'gvisor', limits });
    const sandbox = await bench.driver.make(sandboxOf(asked, await bench.image(), owner()));
    onTestFinished(() => sandbox.remove());
    await sandbox.session.ready;
    await sandbox.session.prepare('/work', []);
    return sandbox;
  }
  const says = async ({ session }: OwnSandbox, script: string) =>
    (await begin(session, ['sh', '-c', script]).result).text;

  test('a program has its kernel, and nobody’s network', async () => {
    expect(bench.driver.refuses(shape)).toBeNull();
    const text = await says(
      await make(),
      'uname -r; dmesg | head -n 1; ls /sys/class/net 2>/dev/null; id -u',
    );
    expect(text).toMatch(/gVisor/);
    expect(text).not.toContain(release());
    expect(text).not.toContain('eth0');
  });

  test('has its limits in a cgroup, with what its own kernel needs, and other ones later', async () => {
    const sandbox = await make({ memoryBytes: 64 * MiB, pids: 20 });
    const file = (controller: string, v1: string, v2: string) =>
      Number(
        readFileSync(
          isV2
            ? `${cgroups}/runlet/${sandbox.id}/${v2}`
            : `${cgroups}/${controller}/runlet/${sandbox.id}/${v1}`,
          'utf8',
        ),
      );
    const memory = () => file('memory', 'memory.limit_in_bytes', 'memory.max');
    expect(memory()).toBe(128 * MiB);
    await sandbox.update({ memoryBytes: 32 * MiB, cpus: 1, pids: 11 });
    expect(memory()).toBe(96 * MiB);
    // Its kernel's threads are counted there; what its programs may have is what it had at the start.
    expect(file('pids', 'pids.max', 'pids.max')).toBeGreaterThan(11);
  });

  test('ends for want of memory, and says so', async () => {
    const sandbox = await make({ memoryBytes: 32 * MiB });
    void begin(sandbox.session, [
      'sh',
      '-c',
      'dd if=/dev/zero of=/dev/null bs=200000000 count=1',
    ]).result.catch(() => {});
    await sandbox.session.closed;
    expect(await sandbox.lostBy()).toBe('memory');
  });

  test('is killed with all that belongs to it', async () => {
    const sandbox = await make();
    const tasks = () =>
      readFileSync(`${isV2 ? cgroups : `${cgroups}/pids`}/runlet/${sandbox.id}/cgroup.procs`, 'utf8')
        .trim()
        .split('\n');
    expect(tasks().length).toBeGreaterThan(1);
    await sandbox.kill();
    await sandbox.session.closed;
    await sandbox.remove();
    expect(await bench.traces(sandbox.id)).toEqual([]);
  });

  test('with a network it is the Engine’s', () => {
    expect(bench.driver.refuses({ ...shape, network: 'egress' })).toMatchObject({
      code: 'isolation_unavailable',
    });
  });
});
