import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { servicesOf } from '../whole/services/support.ts';
import { MiB } from './support/disk.ts';

/** A file of a service goes by the blob store, which lies on the host's disk: what a service makes of its files must not fill that. */
const lab = inject('lab');
const image = 'python:3.11-slim-bookworm';
let runlet: Runlet;
let api: ReturnType<typeof servicesOf>;

const program = `
import os, time
for name, mib in (("huge", 4096), ("long", 1024)):
    with open(f"/root/{name}", "wb") as f: f.truncate(mib << 20)
os.mkfifo("/root/fifo")
os.symlink("/dev/zero", "/root/zero")
f = open("/root/growing", "wb", 0)
while True:
    f.write(b"x" * 65536)
    if f.tell() >= 8 << 20: f.seek(0); f.truncate()
    time.sleep(0.001)`;

beforeAll(async () => {
  await ensureImages(lab, [image]);
  runlet = await startRunlet(lab, { env: { RUNLET_MAX_FILE_BYTES: String(1024 * MiB) } });
  api = servicesOf(runlet, lab.dockerHost);
  await api.start({
    name: 'files',
    image,
    entrypoint: [],
    command: ['python3', '-c', program],
    keepAlive: 'forever',
    // A file is no larger than this, holes included.
    limits: { diskBytes: 8192 * MiB },
  });
}, 600_000);
afterAll(async () => {
  await api.removeAll();
  await runlet.stop();
});

const file = (path: string) => `/v1/services/files/files/${path}`;

/** What lies in the blob store, in bytes: also what is on its way there. */
async function stored(): Promise<number> {
  const folder = join(runlet.env.RUNLET_DATA_DIR ?? '', 'artifacts');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = entries
    .filter((one) => one.isFile())
    .map(async (one) => (await stat(join(one.parentPath, one.name)).catch(() => undefined))?.size ?? 0);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

test('a file with a hole of 4 GiB is refused by its size, at once', async () => {
  let most = 0;
  const watch = setInterval(async () => {
    most = Math.max(most, await stored());
  }, 50);
  const answer = await runlet.call('GET', file('root/huge'));
  const body = (await answer.json()) as { code: string; detail: string };
  clearInterval(watch);
  console.log('stored at most', most / MiB, 'MiB');
  expect({ status: answer.status, code: body.code }).toEqual({ status: 413, code: 'payload_too_large' });
  expect(body.detail).toMatch(/4294967296 bytes.*1073741824.*RUNLET_MAX_FILE_BYTES/);
  expect(most).toBe(0);
});

test('who asked for it is gone: nothing of it is copied any more, and nothing stays', async () => {
  const abort = new AbortController();
  const asked = fetch(`${runlet.url}${file('root/long')}`, {
    headers: { authorization: `Bearer ${runlet.apiKey}` },
    signal: abort.signal,
  }).catch(() => {});
  await vi.waitFor(async () => expect(await stored()).toBeGreaterThan(0), { timeout: 20_000, interval: 10 });
  abort.abort();
  await asked;
  const atOnce = await stored();
  await vi.waitFor(async () => expect(await stored()).toBe(0), { timeout: 2_000, interval: 50 });
  console.log('stored when the client went', atOnce / MiB, 'MiB');
  await sleep(500);
  expect(await stored()).toBe(0);
});

test('what is no file, or none of a size, is neither waited for nor copied', async () => {
  for (const path of ['root/fifo', 'root', 'root/zero'])
    expect((await runlet.call('GET', file(path))).status).toBe(404);
  // What is the kernel's is not even looked at.
  for (const path of ['dev/zero', 'dev/stdin', 'proc/1/status'])
    expect((await runlet.call('GET', file(path))).status).toBe(400);
  for (let i = 0; i < 5; i += 1) {
    const answer = await runlet.call('GET', file('root/growing'));
    // It became shorter on the way, or is whole.
    expect([200, 404]).toContain(answer.status);
    expect((await answer.arrayBuffer()).byteLength).toBeLessThanOrEqual(8 * MiB + 65_536);
  }
  await vi.waitFor(async () => expect(await stored()).toBe(0));
});

test('an artifact with a hole counts by its size', async () => {
  const run = await runlet.run({
    image: 'busybox',
    workdir: '/work',
    command: ['sh', '-c', 'truncate -s 4G hole; echo a > a'],
    artifacts: ['*'],
  });
  expect(run).toMatchObject({ artifacts: [{ path: 'a' }], error: { code: 'artifact_limit' } });
});

test('a worker that stops leaves nothing of what it was copying', async () => {
  const asked = runlet.call('GET', file('root/long'));
  await vi.waitFor(async () => expect(await stored()).toBeGreaterThan(2), { timeout: 20_000, interval: 10 });
  await runlet.workers[0]?.stop();
  expect([500, 503, 504]).toContain((await asked).status);
  expect(await stored()).toBe(2);
  await runlet.startWorker({ RUNLET_WORKER_NAME: 'next' });
});
