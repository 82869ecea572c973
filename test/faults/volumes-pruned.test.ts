import { appendFile, copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished, test } from 'vitest';
import { docker } from '../support/docker.ts';
import { startRunlet } from '../support/runlet.ts';

const lab = inject('lab');
const program = fileURLToPath(new URL('../../infra/sandbox-init/build/init', import.meta.url));

/** An init that no other Runlet of this engine has, so that its volume is ours to remove. */
async function initOfOurOwn(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runlet-test-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const copy = join(folder, 'init');
  await copyFile(program, copy);
  await appendFile(copy, `${process.pid}`);
  return copy;
}

const initVolumes = async () =>
  new Set(
    (await docker(lab.dockerHost, 'volume', 'ls', '-q', '--filter', 'label=dev.runlet.init')).split('\n'),
  );

test('volumes that somebody pruned, or emptied, are brought anew: no run notices', async () => {
  const before = await initVolumes();
  const env = {
    RUNLET_DRIVER: 'engine',
    RUNLET_SANDBOX_INIT: await initOfOurOwn(),
    RUNLET_WARM_MAX: '0',
  };
  const runlet = await startRunlet(lab, { env });
  onTestFinished(() => runlet.stop());
  const hosts = () =>
    runlet.run({
      image: 'busybox',
      command: ['sh', '-c', 'grep -o "localhost runlet" /etc/hosts; id -un'],
    });
  const whole = { status: 'succeeded', stdout: 'localhost runlet\nrunlet\n' };
  expect(await hosts()).toMatchObject(whole);
  const [ours = '', ...others] = [...(await initVolumes()).difference(before)];
  expect(others).toEqual([]);

  // What was used goes a little after its run.
  const pruned = async () => {
    while ((await docker(lab.dockerHost, 'ps', '-aq', '--filter', `volume=${ours}`)) !== '');
    await docker(lab.dockerHost, 'volume', 'rm', ours);
  };
  onTestFinished(pruned);
  await pruned();
  expect(await hosts()).toMatchObject(whole);

  await pruned();
  await docker(lab.dockerHost, 'volume', 'create', ours);
  expect(await hosts()).toMatchObject(whole);

  // No container holds those by name.
  const accounts = await docker(
    lab.dockerHost,
    'volume',
    'ls',
    '-q',
    '--filter',
    'label=dev.runlet.accounts',
  );
  for (const name of accounts.split('\n')) await docker(lab.dockerHost, 'volume', 'rm', name);
  expect(await hosts()).toMatchObject(whole);
  for (const name of accounts.split('\n')) {
    await docker(lab.dockerHost, 'volume', 'rm', name).catch(() => {});
    await docker(lab.dockerHost, 'volume', 'create', name);
  }
  expect(await hosts()).toMatchObject(whole);
});
