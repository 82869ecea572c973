import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { InitSession, StepEnd } from '../../../services/worker/sandbox/init/session.ts';
import type { ExpectedProgram } from '../../../services/worker/sandbox/warm/expected-program.ts';
import { warmUp } from '../../../services/worker/sandbox/warm/warm-up.ts';
import { canRun, ownInit, sh } from './support.ts';

describe.skipIf(!canRun)('a sandbox that is made ahead', () => {
  async function warmed(reference: string, env: string[] = [], expected?: Omit<ExpectedProgram, 'workdir'>) {
    const init = await ownInit();
    const ends: Promise<StepEnd>[] = [];
    const exec: InitSession['exec'] = (...step) => {
      const running = init.session.exec(...step);
      ends.push(running.ended);
      return running;
    };
    await warmUp(
      { ...init.session, exec },
      join(dirname(init.workdir), 'init'),
      { env },
      reference,
      expected && { ...expected, workdir: init.workdir },
    );
    const waiting = init.processes().length;
    const left = (await sh(init.session, 'ls -A')).text;
    return { ends: await Promise.allSettled(ends), waiting, left };
  }
  const exited = (exitCode: number) => ({ status: 'fulfilled', value: { cause: 'exited', exitCode } });

  test('runs its init once more, which ends at once', async () => {
    expect(await warmed('busybox')).toMatchObject({ ends: [exited(64)], left: '' });
  });

  test('holds the program that is expected, and runs nothing', async () => {
    const expected = { argv: ['sh', 'main.sh'], env: { PATH: '/usr/bin:/bin' }, stdin: false };
    const warm = await warmed('debian:bookworm-slim', [], { ...expected, until: 'main.sh' });
    expect(warm).toEqual({ ends: [], waiting: 1, left: '' });
  });

  test('runs the interpreter where the program cannot be held', async () => {
    const expected = { argv: ['true'], env: { PATH: '/usr/bin:/bin' }, stdin: false, until: 'main.sh' };
    const warm = await warmed('debian:bookworm-slim', [], expected);
    expect(warm).toMatchObject({ ends: [exited(0)], waiting: 0, left: '' });
  });

  test('runs the interpreter of its language', async () => {
    expect(await warmed('debian:bookworm-slim')).toMatchObject({ ends: [exited(0)], left: '' });
  });

  test('is as good as ever where the interpreter is not in it', async () => {
    const { ends, left } = await warmed('debian:bookworm-slim', ['PATH=/nowhere']);
    expect(ends).toMatchObject([{ status: 'rejected', reason: { name: 'StartFailed' } }]);
    expect(left).toBe('');
  });
});
