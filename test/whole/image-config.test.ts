import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import { docker } from '../support/docker.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { warmSandboxes } from '../support/sandboxes.ts';

const lab = inject('lab');
const image = `runlet-test-config:${process.pid}`;
const program = '/opt/show/show';
/** What the kernel passed to the program (proc(5)), before the shell adds anything of its own. */
const script = `#!/bin/sh
cat /proc/$$/cmdline; printf '\\n--\\n'
cat /proc/$$/environ; printf '\\n--\\n'
readlink /proc/$$/cwd
echo "$(id -u) $(id -g) $(id -G)"
`;
const config = [
  `ENTRYPOINT ["${program}", "from ENTRYPOINT"]`,
  'CMD ["from CMD", "", "$HOME *"]',
  'ENV PATH="/opt/show:/bin"',
  'ENV GREETING="from the image"',
  'ENV KEPT="a=b"',
  'ENV EMPTY=""',
  'ENV HOME="/root"',
  'WORKDIR /srv/app',
  'USER 1234:1234',
];
let runlet: Runlet;

beforeAll(async () => {
  await makeImage();
  runlet = await startRunlet(lab, { env: { RUNLET_RUN_USER: '4321:4321' } });
});
afterAll(async () => {
  await runlet.stop();
  // Not earlier: an image that a sandbox of the pool still uses would only lose its name, and stay.
  await docker(lab.dockerHost, 'rmi', '-f', image);
});

/** Busybox with the program in it, and with a config that sets every field. */
async function makeImage(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'runlet-config-'));
  const container = await docker(lab.dockerHost, 'create', 'busybox', 'true');
  try {
    for (const path of [program, '/srv/app/data'])
      mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, program), script, { mode: 0o755 });
    await docker(lab.dockerHost, 'cp', `${folder}/.`, `${container}:/`);
    const changes = config.flatMap((change) => ['--change', change]);
    await docker(lab.dockerHost, 'commit', ...changes, container, image);
  } finally {
    await docker(lab.dockerHost, 'rm', container);
    rmSync(folder, { recursive: true });
  }
}

/** What the program saw. Its arguments are given without the interpreter that the kernel put before them. */
function seenBy({ status, stdout, stderr, error }: Run) {
  expect({ status, stderr, error }).toEqual({ status: 'succeeded', stderr: '', error: null });
  const [cmdline = '', environ = '', rest = ''] = stdout.split('\n--\n');
  const words = (text: string) => text.split('\0').slice(0, -1);
  const [interpreter, ...argv] = words(cmdline);
  expect(interpreter).toBe('/bin/sh');
  const env = Object.fromEntries(
    words(environ).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  // No variable is there twice.
  expect(Object.keys(env)).toHaveLength(words(environ).length);
  const [cwd, ids] = rest.split('\n');
  return { argv, env, cwd, ids };
}

const usual = {
  argv: [program, 'from ENTRYPOINT', 'from CMD', '', '$HOME *'],
  env: {
    PATH: '/opt/show:/bin',
    GREETING: 'from the image',
    KEPT: 'a=b',
    EMPTY: '',
    // The image's own folder belongs to root, and the run may not enter it.
    HOME: '/work',
    HOSTNAME: 'runlet',
    // As in the passwd file that the run sees.
    USER: 'runlet',
    LOGNAME: 'runlet',
    LANG: 'C.UTF-8',
  },
  cwd: '/srv/app',
  // This is not the image's user: programs run as the operator's user, even if an image has another one.
  ids: '4321 4321 4321',
};

describe('of an image’s config and a request, the program gets', () => {
  test.each<[string, Record<string, unknown>, Partial<typeof usual>]>([
    ['the image’s all, where nothing is given', {}, {}],
    [
      'the command instead of CMD',
      { command: ['one', 'two words', '*'] },
      { argv: [program, 'from ENTRYPOINT', 'one', 'two words', '*'] },
    ],
    ['CMD, where the command is empty', { command: [] }, {}],
    ['args after CMD', { args: ['last', ''] }, { argv: [...usual.argv, 'last', ''] }],
    [
      'args after the command',
      { command: ['one'], args: ['last'] },
      { argv: [program, 'from ENTRYPOINT', 'one', 'last'] },
    ],
    [
      'the entrypoint, found by the image’s PATH, and no CMD',
      { entrypoint: ['show', 'own'] },
      { argv: [program, 'own'] },
    ],
    [
      'entrypoint, command and args in this order',
      { entrypoint: ['show', 'a'], command: ['b'], args: ['c'] },
      { argv: [program, 'a', 'b', 'c'] },
    ],
    [
      'the command alone, where the entrypoint is empty',
      { entrypoint: [], command: ['show', 'alone'] },
      { argv: [program, 'alone'] },
    ],
    [
      'env over the image’s, and beside it',
      { env: { GREETING: 'from the request', ADDED: 'two\nlines=', KEPT: '' } },
      { env: { ...usual.env, GREETING: 'from the request', ADDED: 'two\nlines=', KEPT: '' } as never },
    ],
    [
      'a HOME, a PATH and a HOSTNAME of the request’s',
      { env: { HOME: '/nowhere', PATH: '/bin', HOSTNAME: 'mine' } },
      { env: { ...usual.env, HOME: '/nowhere', PATH: '/bin', HOSTNAME: 'mine' } },
    ],
    [
      'a USER of the request’s, which is the LOGNAME as well',
      { env: { USER: 'alice' } },
      { env: { ...usual.env, USER: 'alice', LOGNAME: 'alice' } },
    ],
    ['a workdir of every run', { workdir: '/work' }, { cwd: '/work' }],
    ['a workdir that is made for it', { workdir: '/work/not/there' }, { cwd: '/work/not/there' }],
    [
      'a workdir of the image’s, from which its program is named',
      { workdir: '/opt/show', entrypoint: ['./show'] },
      { cwd: '/opt/show', argv: ['./show'] },
    ],
  ])('%s', async (_, request, changes) => {
    expect(seenBy(await runlet.run({ image, ...request }))).toEqual({ ...usual, ...changes });
  });

  test('nothing by the image’s PATH where the request has its own', async () => {
    const run = await runlet.run({ image, entrypoint: ['show'], env: { PATH: '/bin' } });
    expect(run).toMatchObject({ status: 'errored', error: { code: 'command_not_found' } });
  });

  test('the same in a sandbox that was made ahead, for each of its steps', async () => {
    const request = { image, env: { ADDED: 'new' }, workdir: '/work', inputs: [{}, { args: ['more'] }] };
    for (;;) {
      // The test’s own time limit ends this loop.
      while ((await warmSandboxes(lab.dockerHost, { image })).length === 0) await sleep(100);
      const run = await runlet.run(request);
      if (!run.startedWarm) continue;
      const expected = { ...usual, env: { ...usual.env, ADDED: 'new' }, cwd: '/work' };
      expect(run.steps.map(({ stdout }) => seenBy({ ...run, stdout }))).toEqual([
        expected,
        { ...expected, argv: [...usual.argv, 'more'] },
      ]);
      return;
    }
  });
});
