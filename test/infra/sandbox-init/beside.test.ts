import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createInitSession, SandboxLost } from '../../../services/worker/sandbox/init/session.ts';
import {
  aboutProcess,
  attach,
  begin,
  canRun,
  eventually,
  type Init,
  ownInit as ownInitOf,
  run,
  sh,
  startInit,
  uid,
  wellEnded,
} from './support.ts';

/** It forks, and ends, and its child is in a session of its own and does the same, for ever: never there to be met. */
const comet = `
#include <unistd.h>
int main(void) {
  for (;;) {
    if (fork() > 0) _exit(0);
    setsid();
  }
}`;

describe.skipIf(!canRun)('an init beside a service', () => {
  let init: Init;
  beforeAll(async () => {
    init = await startInit({ beside: true });
    await init.session.prepare(init.workdir, []);
  });
  afterEach(() => expect(init.service()).toHaveLength(2));
  afterAll(() => init.stop());

  const python = (script: string, changes = {}) => run(init.session, ['python3', '-c', script], changes);

  const ownInit = () => ownInitOf({ beside: true });

  /** One more in the same container. */
  async function another(of: Init) {
    const [first = 0] = of.service();
    const program = join(of.workdir, '../init');
    const [command, ...args] = [
      ...`nsenter --pid --mount -t ${first} setpriv --reuid=${uid} --regid=${uid} --clear-groups`.split(' '),
      ...[program, 'exec'],
    ];
    const child = spawn(command ?? '', args, { stdio: 'pipe' });
    const session = createInitSession(attach(child));
    const exited = once(child, 'exit');
    onTestFinished(async () => {
      session.close();
      await exited;
    });
    await session.prepare(of.workdir, []);
    return session;
  }

  describe('ends what a step leaves behind, and nothing of the service’s:', () => {
    test('daemons, stopped processes, and those that look after others’ orphans', async () => {
      const script = `
import ctypes, os, signal, time
def daemon(work):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: work()
        os._exit(0)
def looks_after():
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
    for i in range(5): daemon(lambda: time.sleep(1000))
    time.sleep(1000)
def stopped():
    os.fork(); os.kill(os.getpid(), signal.SIGSTOP)
for work in (looks_after, stopped, lambda: time.sleep(1000)): daemon(work)
time.sleep(0.2)
print(len(os.listdir('/proc')))`;
      expect((await python(script)).end).toMatchObject(wellEnded);
      expect(init.processes()).toEqual([]);
    });

    test('a fork bomb in sessions of their own', async () => {
      const script = `
import os, resource
resource.setrlimit(resource.RLIMIT_NPROC, (100, 100))
while True:
    try:
        if os.fork() == 0: os.setsid()
    except OSError: pass`;
      expect((await python(script, { wallMs: 400 })).end).toMatchObject({ cause: 'wall', signal: 9 });
      expect(init.processes()).toEqual([]);
    });

    test('a process that is never there for long', async () => {
      const source = join(init.workdir, '../comet.c');
      writeFileSync(source, comet);
      execFileSync('cc', ['-static', '-O1', '-o', join(init.workdir, '../comet'), source]);
      for (let i = 0; i < 3; i++) {
        const { end } = await sh(init.session, '../comet; sleep 0.1; exit 3');
        expect(end).toMatchObject({ cause: 'exited', exitCode: 3 });
        expect(init.processes()).toEqual([]);
      }
    });

    test('nor of another init’s', async () => {
      const session = await another(init);
      const other = begin(session, ['sh', '-c', 'sleep 1000 & echo here; read line; kill %1; exit 5'], {
        stdin: true,
      });
      await other.says('here');
      expect((await sh(init.session, '(setsid sleep 1000 &); exit 4')).end).toMatchObject({ exitCode: 4 });
      await other.stdin.write(Buffer.from('go on\n'));
      expect((await other.result).end).toMatchObject({ cause: 'exited', exitCode: 5 });
    });
  });

  test('counts the time of its own programs only', async () => {
    const session = await another(init);
    const waiting = begin(init.session, ['sh', '-c', 'echo here; read line'], { stdin: true, cpuMs: 300 });
    await waiting.says('here');
    const busy = await sh(session, 'while :; do :; done', { cpuMs: 500 });
    expect(busy.end).toMatchObject({ cause: 'cpu', signal: 9 });
    await waiting.stdin.write(Buffer.from('go on\n'));
    const { end } = await waiting.result;
    expect(end).toMatchObject(wellEnded);
    expect(end.cpuMs).toBeLessThan(300);
  });

  test('that is asked to end ends its programs first', async () => {
    const own = await ownInit();
    const running = begin(own.session, ['sh', '-c', 'setsid sleep 1000 & trap "" TERM HUP; echo here; wait']);
    await running.says('here');
    // What means nothing to it leaves it as it is.
    for (const signal of ['SIGUSR1', 'SIGALRM', 'SIGTSTP', 'SIGCHLD', 'SIGPIPE'] as const)
      process.kill(own.pid, signal);
    running.resize(1, 1);
    expect(own.processes().length).toBeGreaterThanOrEqual(2);
    process.kill(own.pid, 'SIGTERM');
    await expect(running.ended).rejects.toBeInstanceOf(SandboxLost);
    expect(await own.exited).toBe(0);
  });

  test('that is killed takes the step’s first process with it', async () => {
    const own = await ownInit();
    const running = begin(own.session, ['sh', '-c', `kill -9 ${own.innerPid}; sleep 1000; echo on`]);
    await expect(running.ended).rejects.toBeInstanceOf(SandboxLost);
    const first = () => own.processes().filter((pid) => /^sh$/m.test(aboutProcess(pid, 'comm')));
    expect(await eventually(() => first().length === 0)).toBe(true);
  });

  test('is what it was started as, or nothing', async () => {
    const program = join(init.workdir, '../init');
    const asFirst = ['--pid', '--fork', '--mount-proc', '--kill-child', program, 'exec'];
    expect(spawnSync('unshare', asFirst).status).toBe(64);
    const nobody = await run(init.session, [program, 'exec']);
    expect(nobody.end).toMatchObject(wellEnded);
    expect(nobody.stdout).toEqual(Buffer.from([0x72, 1, 0, 0, 0, 1]));
  });
});
