import { expect, test } from 'vitest';
import { shouldMeasure } from '../../../services/worker/disk/free.ts';
import { createHiddenBytes } from '../../../services/worker/disk/hidden.ts';
import { groupsOf, heldTo, upperOf } from '../../../services/worker/disk/places.ts';
import { checkVolumeFits, diskProblem, maxFileBytes } from '../../../services/worker/services/disk.ts';

test('the folder that an overlay writes to is read from its mounts', () => {
  const overlay = (target: string, options: string) =>
    `5 4 0:33 / ${target} rw,relatime - overlay overlay rw,${options}`;
  expect(
    upperOf(
      [
        '3 4 0:5 / /proc rw - proc proc rw',
        overlay('/mnt', 'lowerdir=/a,upperdir=/no,workdir=/w'),
        overlay('/', 'lowerdir=/a:/b,upperdir=/var/lib/my\\040folder/7/fs,workdir=/w'),
      ].join('\n'),
    ),
  ).toBe('/var/lib/my folder/7/fs');
  // Relative to a folder that nobody knows; not an overlay at all.
  expect(upperOf(overlay('/', 'lowerdir=l/A,upperdir=7/fs,workdir=7/w'))).toBeUndefined();
  expect(upperOf('5 4 8:1 / / rw - ext4 /dev/sda1 rw,upperdir=/x')).toBeUndefined();
});

test('a volume that is named has its own limit, any other counts as the root', async () => {
  const found = {
    pid: 1,
    root: '/upper',
    rootQuota: null,
    files: [{ source: '/c/hosts', path: '/etc/hosts' }],
    volumes: [
      { folder: '/v/data', path: '/data', quota: null },
      { folder: '/v/1f2e', path: '/var/cache', quota: null },
    ],
  };
  expect(await groupsOf(found, { rootBytes: 10, volumes: [{ path: '/data/', bytes: 20 }] })).toEqual([
    {
      maxBytes: 10,
      leastBytes: 4096,
      places: [
        { path: '/upper', inside: '/' },
        { path: '/c/hosts', inside: '/etc/hosts' },
        { path: '/v/1f2e', inside: '/var/cache' },
      ],
    },
    { maxBytes: 20, leastBytes: 4096, places: [{ path: '/v/data', inside: '/data' }] },
  ]);
  const MiB = 1024 * 1024;
  const limits = { rootBytes: 64 * MiB, volumes: [{ path: '/data', bytes: 96 * MiB }] };
  const held = await groupsOf(
    {
      ...found,
      rootQuota: 64 * MiB,
      volumes: [{ folder: '/v/data', path: '/data/', quota: 96 * MiB }],
    },
    limits,
  );
  expect(held?.map(({ maxBytes, leastBytes }) => [maxBytes / MiB, leastBytes])).toEqual([
    [72, 512],
    [108, 512],
  ]);
});

test('what a quota holds at its limit the watch leaves alone; a larger quota, or none, is no help', () => {
  const MiB = 1024 * 1024;
  expect(heldTo(64 * MiB, 64 * MiB)).toEqual({ maxBytes: 72 * MiB, leastBytes: 512 });
  expect(heldTo(MiB, MiB)).toEqual({ maxBytes: 2 * MiB, leastBytes: 512 });
  // It was made smaller, and asked to be larger, without saying how large.
  expect(heldTo(64 * MiB, 32 * MiB)).toMatchObject({ leastBytes: 512 });
  for (const quota of [null, 64 * MiB + 1])
    expect(heldTo(64 * MiB, quota)).toEqual({ maxBytes: 64 * MiB, leastBytes: 4096 });
});

test('a volume that its quota holds to less than is asked for is refused, with what to do', () => {
  expect(() => checkVolumeFits(1, 'data', 200, 100)).toThrow(
    expect.objectContaining({
      code: 'conflict',
      message: expect.stringMatching(/"data" was made for 100 bytes.*volumes\[1\]\.sizeBytes is 200/),
    }),
  );
  for (const [asked, quota] of [
    [200, null],
    [100, 100],
    [50, 100],
    [undefined, 100],
  ] as const)
    expect(() => checkVolumeFits(0, 'data', asked, quota)).not.toThrow();
});

test('a container is measured when what went from the disk could have been half of what it had left', () => {
  const MiB = 1024 * 1024;
  const last = { at: 1000, tookMs: 10, roomBytes: 100 * MiB, free: new Map([[1, 1000 * MiB]]) };
  const at = (now: number, free: number | undefined, more = {}) =>
    shouldMeasure({ ...last, ...more }, new Map(free === undefined ? [] : [[1, free * MiB]]), now);
  expect([at(1050, 960), at(1050, 940), at(1005, 940)]).toEqual([false, true, false]);
  // Near its limit noise alone is no reason yet.
  expect([at(1050, 999.5, { roomBytes: 0 }), at(1050, 998, { roomBytes: 0 })]).toEqual([false, true]);
  // Somebody else may have freed as much: so it is every second where anything moves, and twice a minute where nothing does.
  expect([at(1999, 1001), at(2000, 1001), at(30_999, 1000), at(31_000, 1000)]).toEqual([
    false,
    true,
    false,
    true,
  ]);
  // One that takes its time takes no more than a twentieth of it.
  expect([at(20_999, 990, { tookMs: 1000 }), at(21_000, 990, { tookMs: 1000 })]).toEqual([false, true]);
  expect(at(2000, undefined)).toBe(false);
});

test('hidden is what was written and is gone from the disk, as long as something is on its way', () => {
  const hidden = createHiddenBytes();
  const look = (queuedDescriptors: number, bytes: number, writtenBytes: number) => ({
    queuedDescriptors,
    bytes: [bytes],
    writtenBytes,
    complete: true,
  });
  expect(hidden(look(0, 5, 100), 1000, true)).toBe(0);
  expect(hidden(look(1, 5, 150), 950, true)).toBe(50);
  // Half of it is in sight.
  expect(hidden(look(1, 30, 150), 950, true)).toBe(25);
  // A neighbour wrote; it itself wrote over what it had.
  expect(hidden(look(1, 5, 100), 500, true)).toBe(0);
  expect(hidden(look(1, 5, 900), 1000, true)).toBe(0);
  // All was received: what it holds is in sight again.
  expect(hidden(look(0, 55, 150), 950, true)).toBe(0);
  expect(hidden(look(1, 55, 150), 950, true)).toBe(0);
  // Not all could be looked at: the next look will have more time.
  expect(hidden(look(0, 20, 250), 850, false)).toBe(100);
  expect(hidden(look(0, 20, 250), 850, true)).toBe(0);
});

test('a service is told which of its limits it was, and its files are bounded by the largest', () => {
  const request = {
    limits: { diskBytes: 100, memoryBytes: 1, cpus: 1, pids: 1 },
    volumes: [
      { name: 'a', path: '/a' },
      { name: 'b', path: '/b', sizeBytes: 200 },
    ],
  };
  expect(diskProblem({ volume: null }, request).message).toContain('limits.diskBytes (100 bytes)');
  expect(diskProblem({ volume: '/b' }, request).message).toContain(
    '"b" holds more than volumes[1].sizeBytes (200 bytes)',
  );
  expect(diskProblem({ volume: '/a' }, request).message).toContain(
    'volumes[0].sizeBytes (10737418240 bytes)',
  );
  expect(maxFileBytes(request)).toBe(10_737_418_240);
  expect(maxFileBytes({ ...request, volumes: [] })).toBe(100);
});
