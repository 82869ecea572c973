import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test, vi } from 'vitest';
import { buildImage } from '../../infra/images/build.ts';
import { oneAtATime } from '../../infra/parts/one-at-a-time.ts';
import { silent } from '../../infra/parts/say.ts';

const folder = mkdtempSync(join(tmpdir(), 'runlet-one-at-a-time-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('whoever comes later waits until the first is through, and a failure is its own', async () => {
  const lock = join(folder, 'locks/order');
  const seen: string[] = [];
  const work = (name: string) => async () => {
    seen.push(`${name} begins`);
    await sleep(20);
    seen.push(`${name} ends`);
    if (name === 'first') throw new Error('it failed');
    return name;
  };
  const both = await Promise.allSettled([oneAtATime(lock, work('first')), oneAtATime(lock, work('second'))]);
  expect(both).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: 'second' }]);
  expect(seen).toEqual(['first begins', 'first ends', 'second begins', 'second ends']);
  expect(existsSync(lock)).toBe(false);
});

test('the lock of a process that was killed holds nobody up', async () => {
  const killed = spawn('sleep', ['600']);
  const lock = join(folder, 'of-the-dead');
  writeFileSync(lock, String(killed.pid));
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  expect(await oneAtATime(lock, async () => 'done')).toBe('done');
});

test('two who want an image at the same time have it built once', async () => {
  const cache = join(folder, 'images');
  mkdirSync(cache);
  const workFolders = new Set<string>();
  const watcher = watch(cache, (_, name) => {
    if (name?.startsWith('.hello-world-') && !name.endsWith('.lock')) workFolders.add(name);
  });
  const build = () => buildImage('hello-world', cache, silent);
  const [one, other] = await Promise.all([build(), build()]);
  await vi.waitFor(() => expect(workFolders.size).toBeGreaterThan(0));
  watcher.close();
  expect(one).toEqual(other);
  expect([...workFolders]).toHaveLength(1);
  expect(readdirSync(cache)).toEqual([one.folder.split('/').at(-1)]);
});
