import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { EngineRefusal } from '../../../services/worker/engine/docker/errors.ts';
import { quotaIn } from '../../../services/worker/engine/docker/quota-options.ts';
import { isWithoutQuotas } from '../../../services/worker/engine/docker/quotas.ts';
import { Problem } from '../../../shared/problems.ts';
import { bench, docker, request } from './support.ts';

/** What the Engine holds to a size by itself, held against how its disk is mounted. */
const { engine, spec, image } = bench();
const MiB = 1024 * 1024;

/** File system and options of the longest mount that a folder lies in. */
function mountOf(folder: string): { kind: string; options: string } {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [mount = '', filesystem = ''] = line.split(' - ');
      const [kind = '', , options = ''] = filesystem.split(' ');
      return { at: mount.split(' ')[4] ?? '', kind, options };
    })
    .filter(({ at }) => at === '/' || folder === at || folder.startsWith(`${at}/`))
    .sort((one, other) => one.at.length - other.at.length);
  return mounts.at(-1) ?? { kind: '', options: '' };
}

/** What there is of trials; others use this Engine at the same time. */
const trials = () =>
  [
    docker('container', 'ls', '-a', '--format', '{{.Names}}'),
    docker('image', 'ls', '-a', '--format', '{{.Repository}}'),
    docker('volume', 'ls', '--format', '{{.Name}}'),
  ].flatMap((names) => names.split('\n').filter((name) => name.includes('quota-trial')));

it('has quotas where its disk is mounted with them, and leaves nothing of the trial', async () => {
  const { kind, options } = mountOf(docker('info', '-f', '{{.DockerRootDir}}'));
  const driver = docker('info', '-f', '{{.Driver}}');
  const has = /\b(?:pr?j?quota|pquota)\b/.test(options);
  const expected = { roots: has && kind === 'xfs' && driver === 'overlay2', volumes: has };
  expect(await engine.diskQuotas({ again: true })).toEqual(expected);
  expect(await engine.diskQuotas()).toEqual(expected);
  expect(trials()).toEqual([]);
});

it('gives them to a root and a volume where it has them, and both are made where it has not', async () => {
  const quotas = await engine.diskQuotas();
  const name = `runlet-test-quota-${process.pid}`;
  onTestFinished(() => engine.volumes.remove(name));
  const held = quotas.volumes ? 64 * MiB : null;
  expect(await engine.volumes.create(name, {}, 64 * MiB)).toBe(held);
  // It is fixed when the volume is made.
  expect(await engine.volumes.create(name, {}, 128 * MiB)).toBe(held);
  const asked = request({ command: ['sleep', '60'], writable: true, limits: { diskBytes: 32 * MiB } });
  const made = {
    ...(await spec(asked)),
    volumes: [{ name, path: '/data', readOnly: false }],
  };
  onTestFinished(() => engine.containers.remove(made.name));
  expect(made.rootBytes).toBe(32 * MiB);
  const id = await engine.containers.create(made);
  expect(await engine.containers.diskPlaces(id)).toMatchObject({
    rootQuota: quotas.roots ? 32 * MiB : null,
    volumes: [{ path: '/data', quota: held }],
  });
});

it('a volume that was made without one has none, and says so', async () => {
  const name = `runlet-test-earlier-${process.pid}`;
  docker('volume', 'create', name);
  onTestFinished(() => engine.volumes.remove(name));
  expect(await engine.volumes.create(name, {}, 64 * MiB)).toBeNull();
});

it('what does not fit into a volume is told as that, or is written', async () => {
  const name = `runlet-test-small-${process.pid}`;
  onTestFinished(() => engine.volumes.remove(name));
  await engine.volumes.create(name, {}, 64 * 1024);
  const made = {
    ...(await spec({ command: ['true'], writable: true })),
    volumes: [{ name, path: '/bin', readOnly: false, copy: true }],
  };
  onTestFinished(() => engine.containers.remove(made.name));
  const { kind } = mountOf(docker('info', '-f', '{{.DockerRootDir}}'));
  // Of ext4 the Engine, as root, may pass the limit: the watch has that.
  const isHeld = (await engine.diskQuotas()).volumes && kind === 'xfs';
  const answer = await engine.containers.create(made).catch((error: Problem) => error.message);
  if (isHeld) expect(answer).toMatch(/does not fit into it.*sizeBytes/);
  else expect(answer).toMatch(/^[0-9a-f]{64}$/);
  expect((await image()).sizeBytes).toBeGreaterThan(64 * 1024);
});

it('reads its own sizes, and which refusals mean that there are no quotas', () => {
  expect([{ size: '67108864' }, { size: '64M' }, {}, null].map(quotaIn)).toEqual([
    67_108_864,
    null,
    null,
    null,
  ]);
  const refused = (text: string) => new Problem('start_failed', 'x', { cause: new EngineRefusal(500, text) });
  expect(
    [
      refused("--storage-opt is supported only for overlay over xfs with 'pquota' mount option."),
      new EngineRefusal(500, 'quota size requested but no quota support'),
      refused('invalid option: "size"'),
      refused('write /x: disk quota exceeded'),
      new Problem('engine_unavailable', 'no quota support'),
      new Error('no quota support'),
    ].map(isWithoutQuotas),
  ).toEqual([true, true, true, false, false, false]);
});
