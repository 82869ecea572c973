import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { run } from '../../infra/parts/run.ts';
import { type Home, makeHome, npmStart } from './support/npm-start.ts';

const uid = 54_322;
let home: Home;
let theirs: string;

beforeEach(async () => {
  home = await makeHome({ DOCKER_HOST: inject('lab').dockerHost });
  chmodSync(home.folder, 0o755);
  theirs = join(home.folder, 'home');
  mkdirSync(theirs, { mode: 0o700 });
  chownSync(theirs, uid, uid);
  const others = readFileSync('/etc/passwd', 'utf8');
  writeFileSync(join(home.folder, 'passwd'), `${others}ana:x:${uid}:${uid}::${theirs}:/bin/sh\n`);
});
afterEach(() => home.remove());

/** As sudo starts it for a user, who is in the passwd file that these processes see, and in no other. */
const sudoStart = () =>
  npmStart(home, { SUDO_UID: String(uid), SUDO_USER: 'ana' }, [
    ...(['unshare', '--mount', '--propagation', 'private', 'sh', '-c'] as const),
    'mount --bind "$1" /etc/passwd && exec sh infra/start.sh',
    ...['sh', join(home.folder, 'passwd')],
  ]);

/** A command as the user types it, who has root's neither folders nor variables. */
async function asUser(line: string): Promise<string> {
  const { RUNLET_CONFIG_DIR, RUNLET_DATA_DIR, ...env } = home.env;
  // (By number and by home only: the folder of these tests may be closed to others.)
  const { stdout } = await run('sh', ['-c', line], { env: { ...env, HOME: theirs, XDG_CONFIG_HOME: '' } });
  return stdout;
}

// Only root can be called by sudo.
describe.runIf(userInfo().uid === 0)('sudo npm start', () => {
  it('lets the user who called it use the command and the curl line without sudo', async () => {
    const first = sudoStart();
    await first.said('Ctrl-C stops it.');
    const file = join(theirs, '.config/runlet/config.json');
    const { mode, ...owner } = statSync(file);
    expect([owner.uid, owner.gid, mode & 0o777]).toEqual([uid, uid, 0o600]);
    expect(await asUser(`${join(home.binDir, 'runlet')} run hello-world`)).toContain('Hello from Docker!');
    first.process.kill('SIGINT');
    expect(await first.ended).toBe(0);

    // From the second start on the line reads the key from a file: it is one that the user can read.
    const second = sudoStart();
    await second.said('Ctrl-C stops it.');
    const line = second
      .output()
      .split('\n')
      .find((text) => text.startsWith('  curl '));
    expect(line).toContain(file);
    expect(second.output()).not.toContain(home.configDir);
    expect(JSON.parse(await asUser(line ?? 'false'))).toMatchObject({ status: 'succeeded' });
    second.process.kill('SIGINT');
    expect(await second.ended).toBe(0);
  });
});
