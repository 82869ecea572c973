import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { memoryWatch } from '../../../../services/worker/sandbox/warm/memory-watch.ts';

/** A machine whose memory is what the test says, and no other time than the test's own. */
function machine() {
  vi.useFakeTimers({ toFake: ['performance'] });
  const folder = mkdtempSync(join(tmpdir(), 'runlet-meminfo-'));
  onTestFinished(() => {
    vi.useRealTimers();
    rmSync(folder, { recursive: true, force: true });
  });
  const file = join(folder, 'meminfo');
  return {
    file,
    say: (text: string) => writeFileSync(file, text),
    has: (totalKb: number, availableKb: number) => writeFileSync(file, meminfo(totalKb, availableKb)),
    pass: (ms: number) => vi.advanceTimersByTime(ms),
  };
}

/** As a kernel writes it; little is free on a machine that has run for a while, and all of its caches are available. */
const meminfo = (totalKb: number, availableKb: number) =>
  `MemTotal:       ${totalKb} kB\nMemFree:           512 kB\nMemAvailable:   ${availableKb} kB\nBuffers:          1024 kB\nCached:          20480 kB\nSwapCached:            0 kB\nHugePages_Total:       0\n`;

test('a machine is short of memory as long as less than a tenth of it is available', () => {
  const { file, has, pass } = machine();
  const isShort = memoryWatch(file);
  const looked = [
    [1_000_000, 900_000],
    [1_000_000, 100_000],
    [1_000_000, 99_999],
    [1_000_000, 0],
    [999_990, 99_999],
  ].map(([total = 0, available = 0]) => {
    has(total, available);
    pass(500);
    return isShort();
  });
  expect(looked).toEqual([false, false, true, true, false]);
});

test('the file is read twice a second at most, however often it is asked', () => {
  const { file, has, pass } = machine();
  const isShort = memoryWatch(file);
  has(1_000_000, 50_000);
  expect(isShort()).toBe(true);
  has(1_000_000, 500_000);
  pass(499);
  expect(isShort()).toBe(true);
  pass(1);
  expect(isShort()).toBe(false);
});

test('a machine that does not tell is not short of memory', () => {
  const { file, has, say, pass } = machine();
  const isShort = memoryWatch(file);
  expect(isShort()).toBe(false);
  for (const text of [
    '',
    'MemTotal:       1000000 kB\nMemFree:           512 kB\n',
    'MemAvailable:   1 kB\n',
  ]) {
    say(text);
    pass(500);
    expect(isShort(), text).toBe(false);
  }
  // It may tell later.
  has(1_000_000, 1);
  pass(500);
  expect(isShort()).toBe(true);
});

test('this machine tells, in the form that the tests above write', () => {
  const text = readFileSync('/proc/meminfo', 'utf8');
  for (const name of ['MemTotal', 'MemAvailable'])
    expect(text).toMatch(new RegExp(`^${name}: +\\d+ kB$`, 'm'));
});
