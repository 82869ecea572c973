import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { installCommand } from '../../infra/parts/apt.ts';
import { findTool } from '../../infra/parts/tools.ts';
import { root } from './support/npm-start.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-install-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('installing Debian packages', () => {
  // As a user who may not, which only root can become.
  it.runIf(userInfo().uid === 0)('says the exact command when the user is not allowed to', () => {
    cpSync(join(root, 'infra'), join(folder, 'infra'), { recursive: true });
    writeFileSync(
      join(folder, 'ask.ts'),
      `import { ensureTools } from './infra/parts/apt.ts';
       await ensureTools([{ names: ['no-such-program'], packages: ['some-package', 'another'] }], () => {})
         .catch((error) => console.log(error.message));`,
    );
    cpSync(process.execPath, join(folder, 'node'));
    execFileSync('chmod', ['-R', 'a+rX', folder]);
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--'];
    const { stdout } = spawnSync('setpriv', [...nobody, join(folder, 'node'), join(folder, 'ask.ts')], {
      encoding: 'utf8',
      cwd: folder,
      env: { PATH: '/usr/bin:/bin' },
    });
    expect(stdout).toContain(installCommand(['some-package', 'another']));
    expect(stdout).toContain('takes root');
  });

  it('finds what is installed in the system folders, whatever PATH says', () => {
    const before = process.env.PATH;
    process.env.PATH = '/nowhere';
    try {
      expect(findTool('no-such-program', 'sh')).toMatch(/\/sh$/);
      expect(findTool('no-such-program')).toBeUndefined();
    } finally {
      process.env.PATH = before;
    }
  });
});

describe('the check of node_modules', () => {
  const agrees = (lock: unknown, installed: unknown) => {
    mkdirSync(join(folder, 'node_modules'), { recursive: true });
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: lock }));
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), JSON.stringify({ packages: installed }));
    return spawnSync(process.execPath, [join(root, 'infra/lock-agrees.cjs'), folder]).status === 0;
  };

  it('sees a missing and an old package, and does not mind optional ones', () => {
    const a = { version: '1.0.0' };
    expect(agrees({ '': {}, 'node_modules/a': a }, { 'node_modules/a': a })).toBe(true);
    expect(agrees({ '': {}, 'node_modules/a': a }, {})).toBe(false);
    expect(agrees({ 'node_modules/a': a }, { 'node_modules/a': { version: '0.9.0' } })).toBe(false);
    expect(agrees({ 'node_modules/b': { ...a, optional: true } }, {})).toBe(true);
  });

  it('is no more than that when all is there: with-node.sh runs the command on Node 24 or newer', () => {
    const { stdout } = spawnSync(
      'sh',
      [join(root, 'infra/with-node.sh'), 'node', '-p', 'process.versions.node'],
      {
        encoding: 'utf8',
        env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      },
    );
    expect(Number(stdout.split('.')[0])).toBeGreaterThanOrEqual(24);
  });
});
