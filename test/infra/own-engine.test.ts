import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { buildImage } from '../../infra/images/build.ts';
import { loadImage } from '../../infra/images/load.ts';
import { startEngine } from '../../infra/parts/own-engine.ts';
import { run } from '../../infra/parts/run.ts';
import { silent } from '../../infra/parts/say.ts';
import { processesLeft } from './support/processes.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-own-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** runc, but for the start of what it has made: as runsc is where it may not have a network. */
const neverStarts =
  '#!/bin/sh\nfor word; do [ "$word" = start ] && { echo "no start" >&2; exit 1; }; done\nexec runc "$@"\n';

// Running dockerd takes root.
describe.runIf(userInfo().uid === 0)('an Engine of our own', () => {
  it('takes what it has lost sight of with it', async () => {
    const runtime = join(folder, 'never-starts');
    writeFileSync(runtime, neverStarts);
    chmodSync(runtime, 0o755);
    const execRoot = join(folder, 'exec');
    const engine = await startEngine({
      socket: join(folder, 'docker.sock'),
      dataRoot: join(folder, 'data'),
      execRoot,
      pidfile: join(folder, 'dockerd.pid'),
      logFile: join(folder, 'dockerd.log'),
      runtimes: { 'never-starts': { path: runtime, runtimeArgs: [] } },
      second: true,
      say: silent,
    });
    try {
      await loadImage(await buildImage('busybox', inject('lab').imageCache, silent), engine.dockerHost);
      const started = await run(
        'docker',
        ['run', '--rm', '--network', 'none', '--runtime', 'never-starts', 'busybox', 'true'],
        { env: { DOCKER_HOST: engine.dockerHost }, allowFailure: true },
      );
      expect(started.stderr).toContain('no start');
    } finally {
      await engine.stop();
    }
    expect(await processesLeft(execRoot, 5_000)).toEqual([]);
  });
});
