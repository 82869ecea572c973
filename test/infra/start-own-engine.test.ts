import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gvisorRuntime } from '../../infra/parts/gvisor.ts';
import { run } from '../../infra/parts/run.ts';
import { type Home, makeHome, npmStart } from './support/npm-start.ts';
import { processesLeft } from './support/processes.ts';

let home: Home;

beforeEach(async () => {
  const { DOCKER_HOST: _, ...env } = process.env;
  home = await makeHome({ ...env, RUNLET_ENGINE: 'own', DOCKER_HOST: undefined });
});
afterEach(() => home.remove());

const bridges = async () =>
  (await run('ip', ['-brief', 'link'])).stdout
    .split('\n')
    .filter((line) => /^(rl-|docker0)/.test(line))
    .map((line) => line.split(' ')[0]);

// Running dockerd takes root.
describe.runIf(userInfo().uid === 0)('npm start where there is no Engine and no public registry', () => {
  it('runs an Engine and a registry of its own, seeded, under the usual names; and takes both away again', async () => {
    const bridgesBefore = await bridges();
    const start = npmStart(home, { RUNLET_RUNSC_ARGS: ' --ignore-cgroups  --platform=ptrace' });
    await start.said('Ctrl-C stops it.');
    const dockerHost = /unix:\/\/\S+docker\.sock/.exec(start.output())?.[0] ?? '';
    expect(start.output()).toContain('Put hello-world into the embedded registry');
    expect(start.output()).toContain('(started by Runlet)');

    const pulled = await run('docker', ['pull', 'busybox'], { env: { DOCKER_HOST: dockerHost } });
    expect(pulled.stdout).toContain('Downloaded newer image for busybox:latest');
    const runtimes = await run('docker', ['info', '--format', '{{json .Runtimes}}'], {
      env: { DOCKER_HOST: dockerHost },
    });
    // None where it is not installed: nothing installs it unasked.
    expect(JSON.parse(runtimes.stdout).runsc).toEqual(
      gvisorRuntime(['--ignore-cgroups', '--platform=ptrace']).runsc,
    );

    const line = start
      .output()
      .split('\n')
      .find((text) => text.startsWith('  curl '));
    const { stdout } = await run('sh', ['-c', line ?? 'false']);
    expect(JSON.parse(stdout)).toMatchObject({
      status: 'succeeded',
      image: { digest: expect.stringMatching(/^sha256:/) },
    });

    // Its registry is anybody's to pull from, and nobody's to change; images come into it all the same.
    const registry = /embedded registry at (\S+);/.exec(start.output())?.[1] ?? '';
    const upload = await fetch(`http://${registry}/v2/library/busybox/blobs/uploads/`, { method: 'POST' });
    expect(upload.status).toBe(405);
    const env = { RUNLET_DATA_DIR: home.dataDir };
    const images = await run('npm', ['run', '--silent', 'images', '--', '--json', 'hello-world'], { env });
    expect(JSON.parse(images.stdout)).toMatchObject({ where: `registry ${registry} (was there)` });
    const named = await run('sh', [
      '-c',
      (line ?? 'false').replace('"hello-world"', `"${registry}/library/hello-world"`),
    ]);
    expect(JSON.parse(named.stdout)).toMatchObject({ status: 'succeeded', error: null });

    start.process.kill('SIGINT');
    expect(await start.ended).toBe(0);
    expect(await processesLeft(home.dataDir, 5_000)).toEqual([]);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(home.dataDir);
    expect(await bridges()).toEqual(bridgesBefore);
  });

  it('leaves no dockerd and no containerd when it is killed outright, and comes up again', async () => {
    const first = npmStart(home);
    await first.said('Ctrl-C stops it.');
    first.process.kill('SIGKILL');
    await first.ended;
    expect(await processesLeft(home.dataDir, 30_000)).toEqual([]);
    const second = npmStart(home);
    await second.said('Ctrl-C stops it.');
    expect(second.output()).not.toContain('Put hello-world');
    second.process.kill('SIGINT');
    expect(await second.ended).toBe(0);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(home.dataDir);
  });
});
