import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import type { Service } from '../../shared/contracts/service.ts';
import { docker } from '../support/docker.ts';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { servicesOf } from '../whole/services/support.ts';
import { type Filler, fillers, MiB, quotasOf, saidMiB, watchHost } from './support/disk.ts';

/** A service fills the machine's disk: its root, what is mounted in it, its volumes. */
const lab = inject('lab');
const image = 'python:3.11-slim-bookworm';
let runlet: Runlet;
let api: ReturnType<typeof servicesOf>;
let quotas: { roots: boolean; volumes: boolean };

beforeAll(async () => {
  await ensureImages(lab, [image]);
  runlet = await startRunlet(lab);
  api = servicesOf(runlet, lab.dockerHost);
  quotas = await quotasOf(runlet);
}, 600_000);
afterEach(() => api.removeAll('?volumes=true'));
afterAll(async () => {
  await runlet.stop();
});

const limits = { diskBytes: 64 * MiB, memoryBytes: 256 * MiB };
const neighbour = { image: 'busybox', command: ['sh', '-c', 'echo hi > /tmp/a; cat /tmp/a'] };
const settled = ({ status, error }: Service) => status === 'failed' || error?.code === 'service_crashed';

/** Starts what fills, and waits until it is over, or has written as much as it writes at most. */
async function attack(filler: Filler, where: string, more: Record<string, unknown> = {}) {
  const host = await watchHost();
  const service = await api.start({
    name: 'filler',
    image,
    entrypoint: [],
    command: ['python3', '-uc', fillers[filler], where],
    limits,
    keepAlive: 'forever',
    restart: 'never',
    ...more,
  });
  const beside = await runlet.run(neighbour);
  let end = await api.read('filler');
  let said = 0;
  const until = Date.now() + 20_000;
  while (!settled(end) && Date.now() < until) {
    said = saidMiB(await docker(lab.dockerHost, 'logs', api.container(service)).catch(() => String(said)));
    end = await api.read('filler');
  }
  console.log(filler, where, end.status, { said, ...(await host()) });
  expect(beside).toMatchObject({ status: 'succeeded', stdout: 'hi\n' });
  return { end, said };
}

/** A quota ended no more than a write: the program by itself, with what its interpreter said of it. */
const byItself = {
  code: 'service_crashed',
  detail: expect.stringMatching(/\[Errno (?:28|122)\] (?:No space left|Disk quota exceeded)/),
};

test.each<[Filler, string]>([
  ['plain', '/'],
  ['deleted, and open', '/root'],
])('its root: %s', async (filler, where) => {
  const { end, said } = await attack(filler, where);
  if (quotas.roots) {
    expect(end).toMatchObject({ status: 'failed', restarts: 0, error: byItself });
    return expect(said).toBeLessThanOrEqual(64);
  }
  expect(end).toMatchObject({
    status: 'failed',
    restarts: 0,
    worker: expect.any(String),
    error: { code: 'disk_limit', detail: expect.stringMatching(/limits\.diskBytes \(67108864 bytes\)/) },
  });
  // What it wrote is gone with its container; it does not come back by itself, and does when it is asked for.
  expect(await docker(lab.dockerHost, 'ps', '-aq', '--filter', `name=${end.id}`)).toBe('');
});

test('a volume, by its own limit: it is kept', async () => {
  const volumes = [{ name: 'data', path: '/data', sizeBytes: 96 * MiB }];
  const { end, said } = await attack('deleted, and open', '/data', { volumes });
  const byWatch = {
    code: 'disk_limit',
    detail: expect.stringMatching(/volumes\[0\]\.sizeBytes \(100663296 bytes\)/),
  };
  expect(end).toMatchObject({ status: 'failed', error: quotas.volumes ? byItself : byWatch });
  if (quotas.volumes) expect(said).toBeLessThanOrEqual(96);
  const { data } = await api.call<{ data: { name: string }[] }>('GET', '/v1/volumes');
  expect(data.map(({ name }) => name)).toEqual(['data']);
});

test('what came with it and its image’s VOLUMEs count as its root; it starts anew when it is asked to', async () => {
  const own = `runlet-test/volume-${Date.now()}`;
  const base = await docker(lab.dockerHost, 'create', image, 'true');
  await docker(lab.dockerHost, 'commit', '--change', 'VOLUME /var/own', base, own);
  await docker(lab.dockerHost, 'rm', base);
  const volumes = async () => (await docker(lab.dockerHost, 'volume', 'ls', '-q')).split('\n').length;
  const before = await volumes();
  try {
    for (const where of ['/var/own', '/work']) {
      const fill = fillers['deleted, and open'].replace('sys.argv[1]', `"${where}"`);
      // The second time nothing of the first is there: else it ends by itself, at once.
      const program = `open("${where}/mark", "x")\n${fill}`;
      const service = await api.start({
        name: 'filler',
        image: own,
        pull: 'never',
        files: [{ path: 'main.py', content: program }],
        command: ['python3', '/work/main.py'],
        limits,
        keepAlive: 'forever',
        restart: 'never',
      });
      const failed = await api.until('filler', settled);
      // A VOLUME of an image has no quota: the watch has it.
      if (quotas.volumes && where === '/work') {
        expect(failed).toMatchObject({ status: 'failed', error: byItself });
        await api.remove('filler');
        continue;
      }
      expect(failed).toMatchObject({ status: 'failed', error: { code: 'disk_limit' } });
      expect((await api.left(service)).filter((name) => name.startsWith('runlet-files'))).toEqual([]);
      await api.act('filler', 'start');
      const again = await api.until('filler', settled);
      expect(again).toMatchObject({ status: 'failed', error: { code: 'disk_limit' } });
      expect(Date.parse(again.startedAt ?? '')).toBeGreaterThan(Date.parse(failed.startedAt ?? ''));
      await api.remove('filler');
    }
    expect(await volumes()).toBe(before);
  } finally {
    await docker(lab.dockerHost, 'rmi', '--force', own);
  }
});

/** Fills until nothing fits, in large pieces and small ones, and goes on all the same. */
const patient = `
import os, sys, time
where = sys.argv[1]
for size in (1 << 20, 1 << 16, 4096, 1):
    try:
        for i in range(4096):
            with open(f"{where}/{size}-{i}", "wb", 0) as f:
                f.write(b"x" * size)
    except OSError as error:
        print("full", error.errno, flush=True)
for i in range(2000):
    try: os.symlink("x", f"{where}/link-{i}")
    except OSError: break
print("goes on", flush=True)
time.sleep(600)`;

test.each(['root', 'volume'] as const)(
  'one whose %s is full goes on where a quota says so, and starts anew',
  async (what) => {
    const where = what === 'root' ? '/var/tmp' : '/data';
    const service = await api.start({
      name: 'filler',
      image,
      entrypoint: [],
      command: ['python3', '-uc', patient, where],
      limits,
      volumes: what === 'volume' ? [{ name: 'data', path: '/data', sizeBytes: 64 * MiB }] : [],
      keepAlive: 'forever',
      restart: 'never',
    });
    if (!(what === 'root' ? quotas.roots : quotas.volumes)) {
      const end = await api.until('filler', settled);
      return expect(end).toMatchObject({ status: 'failed', error: { code: 'disk_limit' } });
    }
    const log = () => docker(lab.dockerHost, 'logs', api.container(service));
    const saysSo = /full (?:28|122)\n[\s\S]*goes on/;
    await expect.poll(log, { timeout: 300_000 }).toMatch(saysSo);
    // A look each second, as its own log is written, would have ended it.
    await sleep(5_000);
    expect(await api.read('filler')).toMatchObject({ status: 'ready', restarts: 0, error: null });
    await api.act('filler', 'stop');
    await api.until('filler', ({ status }) => status === 'stopped');
    await api.act('filler', 'start');
    expect(await api.until('filler', ({ status }) => status === 'ready')).toMatchObject({ error: null });
    if (what === 'root') return;
    await api.remove('filler');
    // Made for 64 MiB it stays so.
    await api.start({
      name: 'filler',
      image,
      command: ['sleep', '600'],
      volumes: [{ name: 'data', path: '/data', sizeBytes: 128 * MiB }],
    });
    expect(await api.until('filler', settled)).toMatchObject({
      status: 'failed',
      error: { code: 'conflict', detail: expect.stringMatching(/"data" was made for 67108864 bytes/) },
    });
  },
);

test('a file of the engine’s own: its hosts', async () => {
  const program = `
import os, resource, signal, time
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
f = os.open("/etc/hosts", os.O_WRONLY | os.O_APPEND)
g = os.open("/etc/resolv.conf", os.O_WRONLY | os.O_APPEND)
for i in range(1024):
    for one in (f, g):
        try: os.write(one, b"#" * (1 << 20))
        except OSError: pass
time.sleep(60)`;
  await api.start({
    name: 'filler',
    image,
    command: ['python3', '-c', program],
    limits,
    keepAlive: 'forever',
  });
  const end = await api.until('filler', settled);
  expect(end).toMatchObject({ status: 'failed', error: { code: 'disk_limit' } });
  // People see it as well.
  const show = await promisify(execFile)('infra/bin/runlet', ['services', 'filler'], {
    env: { ...process.env, RUNLET_URL: runlet.url, RUNLET_API_KEY: runlet.apiKey },
  });
  expect(show.stdout).toContain('(disk_limit): It wrote more than limits.diskBytes');
});

test('memory for files is memory: /dev/shm', async () => {
  const program = `
for i in range(60):
    open(f"/dev/shm/{i}", "wb").write(b"x" * (1 << 20))`;
  await api.start({
    name: 'filler',
    image,
    command: ['python3', '-c', program],
    limits: { diskBytes: 64 * MiB, memoryBytes: 32 * MiB },
    restart: 'never',
  });
  const end = await api.until('filler', settled);
  expect(end).toMatchObject({
    error: { code: 'service_crashed', detail: expect.stringContaining('limits.memoryBytes is 33554432') },
  });
});

test('what it says is bounded by itself', async () => {
  const service = await api.start({
    name: 'filler',
    image,
    command: [
      'python3',
      '-c',
      'import time\nfor i in range(50000): print("x" * 1000)\nprint("end", flush=True)\ntime.sleep(60)',
    ],
    keepAlive: 'forever',
  });
  while (!(await docker(lab.dockerHost, 'logs', '--tail', '1', api.container(service))).includes('end'));
  const log = await docker(lab.dockerHost, 'inspect', '-f', '{{.LogPath}}', api.container(service));
  const { readdir, stat } = await import('node:fs/promises');
  const { dirname, join } = await import('node:path');
  const files = (await readdir(dirname(log))).filter((name) => name.includes('-json.log'));
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(dirname(log), name))).size));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(21 * MiB);
});
