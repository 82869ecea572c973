import { type AddressInfo, connect, createServer } from 'node:net';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Worker } from '../../shared/contracts/worker.ts';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import {
  type Filler,
  fillers,
  isOfInodes,
  isRefused,
  MiB,
  quotasOf,
  saidMiB,
  watchHost,
} from './support/disk.ts';

/**
 * A run that may write to its root file system fills the machine's disk, and a neighbour does not notice: where the disk has quotas its writes
 * fail at the limit, else it is ended there.
 */
const lab = inject('lab');
const image = 'python:3.11-slim-bookworm';
let runlet: Runlet;
let quotas: { roots: boolean; volumes: boolean };

beforeAll(async () => {
  await ensureImages(lab, [image]);
  runlet = await startRunlet(lab);
  quotas = await quotasOf(runlet);
}, 600_000);
afterAll(async () => {
  await runlet.stop();
});

/** What may have been written past the limit by the time it is noticed: half a second of a disk that takes 2 GiB a second. */
const graceMiB = 1024;
const neighbour = { image: 'busybox', command: ['sh', '-c', 'echo hi > /tmp/a; cat /tmp/a'] };

test.each(Object.keys(fillers) as Filler[])('%s', async (filler) => {
  const host = await watchHost();
  const [run, beside] = await Promise.all([
    runlet.run({
      image,
      writable: true,
      command: ['python3', '-c', fillers[filler], '/var/tmp'],
      limits: { diskBytes: 64 * MiB, memoryBytes: 256 * MiB, timeoutMs: 30_000 },
    }),
    runlet.run(neighbour),
  ]);
  console.log(filler, { saidMiB: saidMiB(run.stdout), ...(await host()), ms: run.timings.runMs });
  if (isRefused(filler)) {
    expect(run).toMatchObject({
      status: 'failed',
      stderr: expect.stringMatching(/OSError: \[Errno 95\]|PermissionError: \[Errno 1\]/),
    });
    expect(saidMiB(run.stdout)).toBe(0);
  } else if (quotas.roots && !isOfInodes(filler)) {
    // As of a read-only run whose tmpfs is full: its own error, and nothing is ended.
    expect(run).toMatchObject({
      status: 'failed',
      exitCode: 1,
      stderr: expect.stringMatching(/OSError: \[Errno (?:28|122)\]/),
      error: null,
      steps: [{ limit: null }],
    });
    expect(saidMiB(run.stdout)).toBeLessThanOrEqual(64);
  } else {
    expect(run).toMatchObject({
      status: 'failed',
      error: { code: 'disk_limit' },
      steps: [{ limit: 'disk' }],
    });
    expect(saidMiB(run.stdout)).toBeLessThan(64 + graceMiB);
  }
  expect(beside).toMatchObject({ status: 'succeeded', stdout: 'hi\n' });
});

test.runIf(lab.gvisor).each(['plain', 'deleted, and open'] as Filler[])('in gVisor: %s', async (filler) => {
  const run = await runlet.run({
    image,
    writable: true,
    isolation: 'gvisor',
    command: ['python3', '-c', fillers[filler], '/var/tmp'],
    limits: { diskBytes: 64 * MiB, memoryBytes: 256 * MiB, timeoutMs: 60_000 },
  });
  console.log('gVisor', filler, { saidMiB: saidMiB(run.stdout), ms: run.timings.runMs });
  expect(run).toMatchObject({ status: 'failed', error: { code: 'disk_limit' } });
  expect(saidMiB(run.stdout)).toBeLessThan(64 + graceMiB);
});

test('of an engine that is reached by TCP its own word on the root is had, and doctor is told', async () => {
  const relay = createServer((from) => {
    const to = connect(lab.dockerHost.replace(/^unix:\/\//, ''));
    from.pipe(to).pipe(from);
    // Whole: the engine waits with a container's removal for somebody to read what it still has to say on half a connection.
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const)
      one.on('error', () => {}).on('close', () => other.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const dockerHost = `tcp://127.0.0.1:${(relay.address() as AddressInfo).port}`;
  const elsewhere = await startRunlet({ ...lab, dockerHost });
  try {
    const run = await elsewhere.run({
      image,
      writable: true,
      command: ['python3', '-c', fillers.plain, '/var/tmp'],
      limits: { diskBytes: 64 * MiB, timeoutMs: 30_000 },
    });
    console.log('by TCP', { saidMiB: saidMiB(run.stdout), ms: run.timings.runMs });
    expect(await quotasOf(elsewhere)).toEqual(quotas);
    expect(run).toMatchObject({
      status: 'failed',
      error: quotas.roots ? null : { code: 'disk_limit' },
      stderr: quotas.roots ? expect.stringContaining('[Errno 28]') : '',
    });
    const seen = async (one: Runlet) => {
      const { data } = (await (await one.call('GET', '/v1/workers')).json()) as { data: Worker[] };
      return data.map(({ disksSeen }) => disksSeen);
    };
    expect([await seen(elsewhere), await seen(runlet)]).toEqual([[false], [true]]);
  } finally {
    await elsewhere.stop();
    relay.close();
  }
});

test('what is deleted and let go of, and holes, count for nothing', async () => {
  const script = `
import os
for i in range(8):
    with open("/var/tmp/a", "wb") as f:
        f.write(b"x" * (20 << 20))
    os.unlink("/var/tmp/a")
with open("/var/tmp/hole", "wb") as f:
    f.truncate(60 << 20)
os.link("/var/tmp/hole", "/var/tmp/same")
# The C library writes where the kernel takes no room ahead.
os.posix_fallocate(os.open("/var/tmp/ahead", os.O_RDWR | os.O_CREAT), 0, 8 << 20)
print(os.stat("/var/tmp/ahead").st_blocks * 512 >= 8 << 20)`;
  const run = await runlet.run({
    image,
    writable: true,
    command: ['python3', '-c', script],
    limits: { diskBytes: 64 * MiB, timeoutMs: 30_000 },
  });
  expect(run).toMatchObject({ status: 'succeeded', stdout: 'True\n' });
});
