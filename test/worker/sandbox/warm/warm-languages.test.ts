import { expect, test } from 'vitest';
import type { ImageInfo } from '../../../../services/worker/engine/images.ts';
import type { Pin } from '../../../../services/worker/sandbox/sandboxes.ts';
import { languageWarmer } from '../../../../services/worker/sandbox/warm/warm-languages.ts';
import { runRequestSchema } from '../../../../shared/contracts/run-request.ts';
import { createLog } from '../../../../shared/log.ts';
import { bench } from './warm-bench.ts';

const python = 'python:3.11-slim-bookworm';
const ruby = 'ruby:3.1-slim-bookworm';
/** Of two languages, AWK and Bash, which are looked at before those above. */
const debian = 'debian:bookworm-slim';

const anImage: ImageInfo = {
  id: 'sha256:1',
  digest: null,
  architecture: 'amd64',
  os: 'linux',
  variant: null,
  entrypoint: [],
  cmd: [],
  env: [],
  workdir: '',
  volumes: [],
  user: '',
  sizeBytes: 1,
  createdAt: '2026-01-01T00:00:00Z',
};

const policy = {
  limits: {
    timeoutMs: 3_600_000,
    memoryBytes: 2 ** 40,
    cpus: 256,
    pids: 4096,
    outputBytes: 2 ** 24,
    diskBytes: 2 ** 40,
  },
  allowWritable: true,
  allowEgress: true,
  registries: [] as string[],
};

/** A pool, and an engine that has these images and takes its time to tell: ticks of the pool fall in between. */
function machine(...references: string[]) {
  return machineOf(policy, ...references);
}

function machineOf(allowed: typeof policy, ...references: string[]) {
  const pool = bench({ max: 32 });
  const images = new Map(references.map((reference) => [reference, { ...anImage, id: reference }]));
  const broken = new Set<string>();
  const asked: string[] = [];
  const pinned: Pin[][] = [];
  const look = languageWarmer({
    images: {
      async inspect(reference) {
        asked.push(reference);
        const image = images.get(reference) ?? null;
        await pool.pass(100);
        if (broken.has(reference)) throw new Error('no answer');
        return image;
      },
    },
    info: { os: 'linux', architecture: 'x86_64' },
    policy: allowed,
    sandboxes: {
      pinOnly(pins) {
        pinned.push(pins);
        pool.pool.pinOnly(pins.map(({ image }) => pool.profileOf(image.id)));
      },
    },
    log: createLog('test', 'silent'),
  });
  /** How often the engine was asked for an image, which is once a look. */
  const looks = (reference: string) => asked.filter((one) => one === reference).length;
  return { ...pool, images, broken, pinned, look, looks };
}

test('one sandbox is kept of each image that is there for this machine, with the limits of its language', async () => {
  const { images, look, settle, counts, pinned } = machine(python, debian, 'golang:1.19-bookworm');
  images.set(ruby, { ...anImage, id: ruby, architecture: 'arm64' });
  await look();
  await settle();
  expect(counts()).toEqual({ [python]: 1, [debian]: 1, 'golang:1.19-bookworm': 1 });
  const shown = pinned.flat().map(({ shape, reference }) => [shape.language, reference]);
  expect(shown).toEqual([
    ['bash', debian],
    ['go', 'golang:1.19-bookworm'],
    ['python', python],
  ]);
  const diskBytes = new Map(pinned.flat().map(({ shape }) => [shape.language, shape.limits.diskBytes]));
  expect(diskBytes.get('go')).toBe(134_217_728);
  expect(diskBytes.get('python')).not.toBe(diskBytes.get('go'));
});

test('a sandbox is kept as a run gets it that asks for no limits, where the operator allows less than the default too', async () => {
  const limits = { ...policy.limits, diskBytes: 16 * 1024 * 1024 };
  const allowed = { ...policy, limits };
  const { look, pinned } = machineOf(allowed, python, 'golang:1.19-bookworm');
  await look();
  const asked = runRequestSchema(allowed);
  for (const language of ['python', 'go']) {
    const run = asked.parse({ language, code: 'anything' });
    expect(run.limits.diskBytes).toBe(limits.diskBytes);
    expect(pinned.flat().find(({ shape }) => shape.language === language)?.shape.limits).toEqual(run.limits);
  }
});

test('no sandbox is kept of an image that no run may use', async () => {
  const { look, pinned } = machineOf({ ...policy, registries: ['registry.example.com'] }, python, debian);
  await look();
  expect(pinned).toEqual([[]]);
});

test('the sandboxes that wait outlive a look at the images, however long it takes', async () => {
  const { images, look, settle, counts, removed } = machine(python, debian);
  await look();
  await settle();
  images.set(ruby, { ...anImage, id: ruby });
  await look();
  await settle();
  expect(counts()).toEqual({ [python]: 1, [debian]: 1, [ruby]: 1 });
  expect(removed).toEqual([]);
});

test('an image that is gone is kept warm no more, and a new one of its name is', async () => {
  const { images, look, settle, counts } = machine(python, debian);
  await look();
  await settle();
  images.delete(python);
  await look();
  await settle();
  expect(counts()).toEqual({ [debian]: 1 });
  images.set(debian, { ...anImage, id: 'another' });
  await look();
  await settle();
  expect(counts()).toEqual({ another: 1 });
});

test('a language that could not be looked at is kept as it was', async () => {
  const { images, broken, look, settle, counts, removed } = machine(python, debian);
  await look();
  await settle();
  images.delete(debian);
  images.set(ruby, { ...anImage, id: ruby });
  for (const reference of [python, ruby]) broken.add(reference);
  await look();
  await settle();
  // Ruby is there, but has never been seen.
  expect(counts()).toEqual({ [python]: 1 });
  expect(removed).toHaveLength(1);
  // Nor does it matter how often that fails.
  await look();
  await settle();
  expect(counts()).toEqual({ [python]: 1 });
  broken.clear();
  images.delete(python);
  await look();
  await settle();
  expect(counts()).toEqual({ [ruby]: 1 });
});

test('what changes during a look is looked at after it, once for all that ask until then', async () => {
  const { images, look, looks, pass, settle, counts, pinned } = machine(debian, python);
  const first = look();
  // By now the images of the first few languages have been looked at, and the engine has not told of the others.
  await pass(500);
  expect(pinned).toEqual([]);
  images.delete(debian);
  images.set(ruby, { ...anImage, id: ruby });
  const second = look();
  images.delete(python);
  const third = look();
  await first;
  await Promise.all([second, third]);
  await settle();
  expect(counts()).toEqual({ [ruby]: 1 });
  expect(looks(ruby)).toBe(2);
  expect(pinned).toHaveLength(2);
  // It goes on so.
  images.delete(ruby);
  await look();
  await settle();
  expect(counts()).toEqual({});
});
