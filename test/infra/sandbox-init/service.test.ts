import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { canRun, eventually, uid } from './support.ts';

const init = fileURLToPath(new URL('../../../infra/sandbox-init/build/init', import.meta.url));
const build = fileURLToPath(new URL('../../../infra/sandbox-init/build.sh', import.meta.url));

/** A service's init as PID 1 of a process namespace of its own, as a user without any capability. */
function serve(argv: string[], env: Record<string, string> = {}, options = ['--']) {
  const child = spawn(
    'unshare',
    [
      ...['--pid', '--fork', '--mount', '--mount-proc', '--kill-child', 'setpriv'],
      ...[`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs', '--inh-caps=-all'],
      ...['--bounding-set=-all', init, 'service', ...options, ...argv],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/bin:/bin', ...env }, cwd: '/tmp' },
  ) as ChildProcessByStdio<null, Readable, Readable>;
  const childOf = (pid: number) =>
    Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (data: string) => {
    out += data;
  });
  child.stderr.setEncoding('utf8').on('data', (data: string) => {
    err += data;
  });
  const exited = once(child, 'close').then(([code]) => code as number | null);
  onTestFinished(async () => {
    // What it changes its user with takes `--kill-child` away.
    if (child.exitCode === null) process.kill(childOf(child.pid ?? 0), 'SIGKILL');
    await exited;
  });
  return {
    exited,
    out: () => out,
    err: () => err,
    says: (text: string) => eventually(() => out.includes(text)),
    /** By this machine's numbers. */
    pid: () => childOf(child.pid ?? 0),
    childOf,
    /** As an engine sends them: from outside, to PID 1. */
    signal: (signal: number | NodeJS.Signals) => process.kill(childOf(child.pid ?? 0), signal),
  };
}

const sh = (script: string) => serve(['sh', '-c', script]);

describe.skipIf(!canRun)('the init of a service', () => {
  beforeAll(() => {
    execFileSync('sh', [build]);
  });

  test('executes the program by the PATH that it has, or by its folder, and is over with it', async () => {
    const found = serve(['printf', '%s', 'hello']);
    expect([await found.exited, found.out(), found.err()]).toEqual([0, 'hello', '']);
    const kept = serve(['sh', '-c', 'exit 42'], {}, []);
    expect(await kept.exited).toBe(42);
    const environment = serve(['env'], { OWN: 'own', PATH: '/usr/bin:/bin' });
    await environment.exited;
    expect(environment.out().split('\n').sort()).toEqual(['', 'OWN=own', 'PATH=/usr/bin:/bin']);
  });

  test.each([
    ['no-such-program', 127, constants.errno.ENOENT],
    ['./no/such', 127, constants.errno.ENOENT],
    ['/etc', 126, constants.errno.EACCES],
    ['/etc/passwd', 126, constants.errno.EACCES],
    ['/etc/passwd/below', 127, constants.errno.ENOTDIR],
    ['two\nlines', 127, constants.errno.ENOENT],
    ['', 127, constants.errno.ENOENT],
  ])('says that it could not execute %j', async (program, code, errno) => {
    const none = serve([program, 'argument']);
    expect(await none.exited).toBe(code);
    const shown = program.replace('\n', '?');
    expect(none.err()).toBe(`runlet-init: cannot execute ${shown}: error ${errno}\n`);
    expect(none.out()).toBe('');
  });

  test('hands on every signal that there is, to the program alone', async () => {
    // KILL and STOP go to nobody but the one they are sent to; CHLD is init's own; the kernel's 32 and 33 are the C library's.
    const apart = [constants.signals.SIGKILL, constants.signals.SIGSTOP, constants.signals.SIGCHLD, 32, 33];
    const numbers = Array.from({ length: 64 }, (_, i) => i + 1).filter((one) => !apart.includes(one));
    const program = `
import os, signal, sys, time
for number in ${JSON.stringify(numbers)}:
  signal.signal(number, lambda got, _: os.write(1, b'got %d\\n' % got))
os.write(1, b'up\\n')
if os.fork() == 0:
  for number in ${JSON.stringify(numbers)}:
    signal.signal(number, lambda got, _: os.write(1, b'child got %d\\n' % got))
while True: time.sleep(1000)`;
    const service = serve(['python3', '-c', program]);
    expect(await service.says('up')).toBe(true);
    for (const number of numbers) {
      service.signal(number);
      expect([number, await service.says(`got ${number}\n`)]).toEqual([number, true]);
    }
    expect(service.out()).not.toContain('child');
  });

  test('tells the end by a signal as a shell does', async () => {
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1'] as const) {
      const service = sh('echo up; exec sleep 1000');
      await service.says('up');
      service.signal(signal);
      expect(await service.exited).toBe(128 + constants.signals[signal]);
    }
  });

  test('has the program as a session leader, with nothing blocked or ignored', async () => {
    const service = sh(
      'ps -o pid=,ppid=,pgid=,sid= -p $$; grep -E "^Sig(Blk|Ign)" /proc/self/status; grep NoNewPrivs /proc/1/status',
    );
    await service.exited;
    const [ids = '', ...rest] = service.out().trim().split('\n');
    const [pid, parent, group, session] = ids.trim().split(/ +/);
    expect(parent).toBe('1');
    expect([group, session]).toEqual([pid, pid]);
    expect(rest.map((line) => line.replace(/\s+/g, ' '))).toEqual([
      'SigBlk: 0000000000000000',
      'SigIgn: 0000000000000000',
      'NoNewPrivs: 1',
    ]);
  });

  test('reaps orphans, however many', async () => {
    const service = sh(`
      for i in $(seq 200); do (sh -c "exit 3" &); done
      # Its own shell alone: an orphan is a child of PID 1 from the moment its parent is gone until it is reaped.
      until [ $(ps -eo ppid= | grep -cx ' *1') = 1 ]; do sleep 0.1; done
      echo done
      exec sleep 1000`);
    expect(await service.says('done')).toBe(true);
  });

  test('asks what is left to end, and waits no longer than two seconds for it', async () => {
    const asked = sh(
      '(trap "echo asked; exit" TERM; echo up; while :; do sleep 0.05; done) & sleep 0.5; exit 6',
    );
    expect(await asked.exited).toBe(6);
    expect(asked.out()).toBe('up\nasked\n');
    const began = performance.now();
    const deaf = sh('(trap "" TERM; while :; do sleep 0.05; done) & sleep 0.3; exit 7');
    expect(await deaf.exited).toBe(7);
    const tookMs = performance.now() - began;
    expect(tookMs).toBeGreaterThan(2_000);
    expect(tookMs).toBeLessThan(10_000);
  });

  test('cannot be killed by its program, and shows it its streams', async () => {
    const service = sh('kill -KILL 1; kill -STOP 1; readlink /proc/1/fd/1; echo up; exec sleep 1000');
    expect(await service.says('up')).toBe(true);
    expect(service.out()).toMatch(/^(?:pipe|socket):/);
    service.signal('SIGTERM');
    expect(await service.exited).toBe(143);
  });

  test('is PID 1, or nothing', async () => {
    const outside = spawn(init, ['service', '--', 'true']);
    expect(await once(outside, 'exit')).toEqual([64, null]);
    const nothing = serve([]);
    expect(await nothing.exited).toBe(64);
  });
});
