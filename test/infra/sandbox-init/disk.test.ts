import { execFileSync } from 'node:child_process';
import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { createDiskLook } from '../../../services/worker/disk/look.ts';

/** What the program measures beside the worker, held against du, which counts the same way. */
const helper = createDiskLook(
  fileURLToPath(new URL('../../../infra/sandbox-init/build/init', import.meta.url)),
);
afterAll(() => helper.close());

const block = 4096;
const ms = 60_000;
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'disk-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const look = (maxBytes = 2 ** 40, pid = 0, leastBytes = block) =>
  helper.look(pid, [{ maxBytes, leastBytes, places: [{ path: folder, inside: '/' }] }], ms);
const du = () => Number(execFileSync('du', ['-s', '-B1', folder], { encoding: 'utf8' }).split('\t')[0]);

test('blocks count, not sizes; one with two names once; no link is followed', async () => {
  writeFileSync(join(folder, 'a'), Buffer.alloc(100_000, 1));
  linkSync(join(folder, 'a'), join(folder, 'b'));
  writeFileSync(join(folder, 'hole'), 'x');
  truncateSync(join(folder, 'hole'), 2 ** 33);
  mkdirSync(join(folder, 'c/d/e'), { recursive: true });
  const { bytes, complete } = await look();
  expect({ bytes, complete }).toEqual({ bytes: [du()], complete: true });
  symlinkSync('/', join(folder, 'root'));
  expect((await look()).bytes).toEqual([du() + block]);
  writeFileSync(join(folder, 'empty'), '');
  expect((await look()).bytes).toEqual([du() + 2 * block]);
  // Where a quota counts the blocks, an inode is what is left to count.
  expect((await look(2 ** 40, 0, 512)).bytes).toEqual([du() + 2 * 512]);
});

test('a tree that is too deep for any path, with names that are no UTF-8, counts to its end', async () => {
  const make =
    'import os, sys\nos.chdir(sys.argv[1])\nfor i in range(3000):\n os.mkdir(b"\\xff" * 20)\n os.chdir(b"\\xff" * 20)';
  execFileSync('python3', ['-c', make, folder]);
  const { bytes, complete } = await look();
  expect({ bytes, complete }).toEqual({ bytes: [du()], complete: true });
  expect(bytes[0]).toBeGreaterThanOrEqual(3000 * block);
  execFileSync('rm', ['-rf', join(folder)]);
  mkdirSync(folder);
});

test('the sum ends soon after it is over', async () => {
  for (let i = 0; i < 200; i += 1) writeFileSync(join(folder, String(i)), 'x');
  const { bytes } = await look(20 * block);
  expect(bytes[0]).toBe(
    statSync(folder).blocks * 512 + Math.max(0, 21 * block - statSync(folder).blocks * 512),
  );
});

test('a deleted file counts as long as a process has it open, and for the place where it was', async () => {
  writeFileSync(join(folder, 'a'), Buffer.alloc(1_000_000, 1));
  const file = openSync(join(folder, 'a'), 'r');
  unlinkSync(join(folder, 'a'));
  const groups = [
    { maxBytes: 2 ** 40, leastBytes: block, places: [] },
    { maxBytes: 2 ** 40, leastBytes: block, places: [{ path: folder, inside: folder }] },
  ];
  const held = await helper.look(process.pid, groups, ms);
  expect(held.bytes[1]).toBeGreaterThanOrEqual(1_000_000);
  closeSync(file);
  expect((await helper.look(process.pid, groups, ms)).bytes[1]).toBe(du());
});

test('a place that is gone is told', async () => {
  const groups = [{ maxBytes: 1, leastBytes: block, places: [{ path: join(folder, 'none'), inside: '/' }] }];
  expect(await helper.look(0, groups, ms)).toMatchObject({ bytes: [0], complete: false });
});
