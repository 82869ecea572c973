import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { run } from '../../infra/parts/run.ts';
import { startSecondEngine } from '../support/second-engine.ts';
import { processesLeft } from './support/processes.ts';

/** runc, but for the start of what it has made: as runsc is where it may not have a network. */
const neverStarts =
  '#!/bin/sh\nfor word; do [ "$word" = start ] && { echo "no start" >&2; exit 1; }; done\nexec runc "$@"\n';

// Running dockerd takes root.
describe.runIf(userInfo().uid === 0)('an Engine of our own', () => {
  it('takes what it has lost sight of with it', async () => {
    const lab = inject('lab');
    const path = join(lab.dataDir, 'never-starts');
    writeFileSync(path, neverStarts, { mode: 0o755 });
    const engine = await startSecondEngine(lab, 'loser', ['busybox'], {
      'never-starts': { path, runtimeArgs: [] },
    });
    try {
      const started = await run(
        'docker',
        ['run', '--rm', '--network', 'none', '--runtime', 'never-starts', 'busybox', 'true'],
        { env: { DOCKER_HOST: engine.dockerHost }, allowFailure: true },
      );
      expect(started.stderr).toContain('no start');
    } finally {
      await engine.stop();
    }
    expect(await processesLeft(join(lab.dataDir, 'loser/exec'), 5_000)).toEqual([]);
  });
});
