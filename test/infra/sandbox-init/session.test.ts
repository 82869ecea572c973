import { randomBytes } from 'node:crypto';
import { truncateSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { dataFrames, frame, u32, u64 } from '../../../services/worker/sandbox/init/frames.ts';
import { SandboxLost, StartFailed } from '../../../services/worker/sandbox/init/session.ts';
import {
  aboutProcess,
  begin,
  canRun,
  cpuTicks,
  eventually,
  type Init,
  ownInit as ownInitOf,
  places,
  type Ran,
  run,
  sh,
  startInit,
  step,
  wellEnded,
} from './support.ts';

async function* pieces(...frames: Buffer[]) {
  yield* frames;
}

const hasEnded = (pid: number) => / Z |^$/.test(aboutProcess(pid, 'stat'));

describe.skipIf(!canRun).each(places)('a sandbox init, $place,', ({ beside }) => {
  /** Shared by the tests that leave it as they found it, which is itself part of what is tested. */
  let init: Init;
  beforeAll(async () => {
    init = await startInit({ beside });
    await init.session.prepare(init.workdir, []);
  });
  afterAll(async () => {
    expect(init.service()).toHaveLength(beside ? 2 : 0);
    await init.stop();
  });

  const ownInit = (options?: Parameters<typeof startInit>[0]) => ownInitOf({ beside, ...options });

  const python = (script: string, changes = {}) => run(init.session, ['python3', '-c', script], changes);

  async function failureOf(work: Promise<unknown>): Promise<Pick<StartFailed, 'what' | 'errno' | 'text'>> {
    const error = await work.then(
      () => new Error('it did not fail'),
      (why) => why,
    );
    expect(error).toBeInstanceOf(StartFailed);
    const { what, errno, text } = error as StartFailed;
    return { what, errno, text };
  }

  async function read(own: Init, path: string): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of own.session.read(path)) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces);
  }

  describe('ends', () => {
    test.each([0, 1, 42, 255])('with exit code %i', async (code) => {
      const { end } = await sh(init.session, `exit ${code}`);
      expect(end).toMatchObject({ cause: 'exited', exitCode: code, signal: null });
    });

    test.each([1, 9, 11, 15, 64])('by signal %i', async (signal) => {
      const { end } = await sh(init.session, `kill -${signal} $$`);
      expect(end).toMatchObject({ cause: 'exited', exitCode: null, signal });
    });

    test('a program is told nothing of what init itself ignores or blocks', async () => {
      const { text } = await run(init.session, ['cat', '/proc/self/status']);
      expect(text.match(/^Sig(Blk|Ign|Cgt):\t0{16}$/gm)).toHaveLength(3);
    });

    test('a program has three descriptors and no more', async () => {
      const { text } = await python('import os; print(sorted(os.listdir("/proc/self/fd"))[:-1])');
      expect(text).toBe("['0', '1', '2']\n");
    });

    test('steps one after another, also after failures, and with the environment that each was given', async () => {
      for (let i = 0; i < 20; i++) {
        if (i % 3 === 0) await failureOf(run(init.session, ['/nothing/here']));
        const { end, text } = await run(init.session, ['/usr/bin/env'], {
          env: { NUMBER: String(i), EMPTY: '' },
        });
        expect(end).toMatchObject(wellEnded);
        expect(text).toBe(`NUMBER=${i}\nEMPTY=\n`);
      }
    });
  });

  describe('streams', () => {
    test('stdout and stderr are told apart', async () => {
      const { stdout, stderr } = await sh(init.session, 'echo out; echo err >&2; printf more');
      expect([stdout.toString(), stderr.toString()]).toEqual(['out\nmore', 'err\n']);
    });

    test('stdout and stderr as one pipe keep their order, byte by byte', async () => {
      const script =
        'import os\nfor i in range(20000): os.write(1 + i % 2, b"oe"[i % 2:][:1])\n' +
        'print(os.readlink("/proc/self/fd/1") == os.readlink("/proc/self/fd/2"), sorted(os.listdir("/proc/self/fd"))[:-1])';
      const { end, text, stderr } = await python(script, { mergeStderr: true });
      expect(end).toMatchObject(wellEnded);
      expect([text, stderr.length]).toEqual([`${'oe'.repeat(10_000)}True ['0', '1', '2']\n`, 0]);
      // The next step has two again.
      const next = await sh(init.session, 'echo out; echo err >&2');
      expect([next.text, next.stderr.toString()]).toEqual(['out\n', 'err\n']);
    });

    test('a step with one pipe ends, however the program closes its ends, and at its output’s limit', async () => {
      for (const script of ['exec >&-; echo err >&2', 'exec 2>&-; echo err', 'echo err; exec >&- 2>&-'])
        expect(await sh(init.session, script, { mergeStderr: true })).toMatchObject({
          end: wellEnded,
          text: 'err\n',
        });
      const flood = await sh(init.session, 'yes >&2', { mergeStderr: true, outputBytes: 1000 });
      expect(flood.end).toMatchObject({ cause: 'output', signal: 9 });
      expect(flood.stdout.length).toBeGreaterThan(1000);
      expect(flood.stderr).toHaveLength(0);
    });

    test('a mebibyte of every byte comes back as it went in', async () => {
      const data = randomBytes(1024 * 1024);
      const cat = begin(init.session, ['cat'], { stdin: true });
      await cat.stdin.write(data);
      cat.stdin.end();
      const { end, stdout } = await cat.result;
      expect(end).toMatchObject(wellEnded);
      expect(stdout.equals(data)).toBe(true);
    });

    test('a mebibyte of random bytes on both streams at once', async () => {
      const { end, stdout, stderr } = await python(
        'import random,sys,threading\n' +
          'def put(to, seed): to.buffer.write(random.Random(seed).randbytes(1<<20)); to.flush()\n' +
          'all = [threading.Thread(target=put, args=one) for one in [(sys.stdout, 1), (sys.stderr, 2)]]\n' +
          '[one.start() for one in all]; [one.join() for one in all]',
      );
      const again = await python(
        'import random,sys; sys.stdout.buffer.write(random.Random(1).randbytes(1<<20))',
      );
      expect(end).toMatchObject(wellEnded);
      expect([stdout.length, stderr.length]).toEqual([1 << 20, 1 << 20]);
      expect(stdout.equals(again.stdout)).toBe(true);
      expect(stdout.equals(stderr)).toBe(false);
    });

    test('without stdin there is an end at once', async () => {
      expect((await sh(init.session, 'cat; echo end')).text).toBe('end\n');
    });

    test('a stdin that is never read keeps nothing from ending', async () => {
      const slow = begin(init.session, ['sh', '-c', 'echo here; sleep 0.2'], { stdin: true });
      const written = slow.stdin.write(Buffer.alloc(2 * 1024 * 1024));
      expect((await slow.result).end).toMatchObject(wellEnded);
      await written;

      const killed = begin(init.session, ['sh', '-c', 'echo here; sleep 1000'], { stdin: true });
      const more = killed.stdin.write(Buffer.alloc(2 * 1024 * 1024));
      await killed.says('here');
      killed.kill();
      expect((await killed.result).end).toMatchObject({ cause: 'killed', signal: 9 });
      await more;

      const late = begin(init.session, ['sleep', '1000'], { stdin: true, wallMs: 100 });
      const rest = late.stdin.write(Buffer.alloc(2 * 1024 * 1024));
      expect((await late.result).end).toMatchObject({ cause: 'wall', signal: 9 });
      await rest;
    });

    test('a stdin that the program closes is thrown away', async () => {
      const closed = begin(init.session, ['sh', '-c', 'exec <&-; echo closed; sleep 0.2'], { stdin: true });
      await closed.says('closed');
      await closed.stdin.write(Buffer.alloc(2 * 1024 * 1024));
      expect((await closed.result).end).toMatchObject(wellEnded);
    });

    test('stdin byte by byte', async () => {
      const cat = begin(init.session, ['cat'], { stdin: true });
      for (let i = 0; i < 2000; i++) await cat.stdin.write(Buffer.from([i & 0xff]));
      cat.stdin.end();
      const { stdout } = await cat.result;
      expect(stdout.equals(Buffer.from(Array.from({ length: 2000 }, (_, i) => i & 0xff)))).toBe(true);
    });

    test('an idle step whose program has closed everything costs nothing', async () => {
      const idle = begin(init.session, ['sh', '-c', 'echo closed; exec <&- >&- 2>&-; sleep 1'], {
        stdin: true,
      });
      await idle.says('closed');
      const before = cpuTicks(init.pid);
      expect((await idle.result).end).toMatchObject(wellEnded);
      // A loop that never waits would have used most of a second.
      expect(cpuTicks(init.pid) - before).toBeLessThan(30);
    });
  });

  describe('a terminal', () => {
    const tty = { cols: 120, rows: 33 };

    test('has the size that was asked for, and is the program’s own', async () => {
      const { end, text } = await sh(init.session, 'stty size; test -t 0 && test -t 1 && test -t 2 && tty', {
        tty,
      });
      expect(end).toMatchObject(wellEnded);
      expect(text).toMatch(/^33 120\r\n\/dev\/pts\/\d+\r\n$/);
    });

    test('is resized, and the program told', async () => {
      const script = 'trap "stty size; exit 0" WINCH; echo ready; while :; do sleep 0.05; done';
      const resized = begin(init.session, ['sh', '-c', script], { tty });
      await resized.says('ready');
      resized.resize(80, 24);
      const { end, text } = await resized.result;
      expect(end).toMatchObject(wellEnded);
      expect(text).toBe('ready\r\n24 80\r\n');
    });

    test('takes lines, ^C and an end', async () => {
      const cat = begin(init.session, ['cat'], { tty });
      await cat.stdin.write(Buffer.from('one\n'));
      await cat.says('one\r\none\r\n');
      cat.stdin.end();
      expect((await cat.result).end).toMatchObject(wellEnded);

      const broken = begin(init.session, ['cat'], { tty });
      await broken.stdin.write(Buffer.from('two\n'));
      await broken.says('two\r\ntwo\r\n');
      await broken.stdin.write(Buffer.from([3]));
      expect((await broken.result).end).toMatchObject({ exitCode: null, signal: 2 });
    });

    test('gives all that was written before the end', async () => {
      const { text } = await run(init.session, ['seq', '20000'], { tty });
      expect(text.split('\r\n')).toHaveLength(20001);
    });

    test('a program that lets go of it goes on, and costs nothing meanwhile', async () => {
      const idle = begin(init.session, ['sh', '-c', 'echo gone; exec <&- >&- 2>&-; sleep 1; exit 7'], {
        tty,
      });
      await idle.says('gone');
      await idle.stdin.write(Buffer.from('for nobody'));
      idle.stdin.end();
      const before = cpuTicks(init.pid);
      expect((await idle.result).end).toMatchObject({ cause: 'exited', exitCode: 7 });
      expect(cpuTicks(init.pid) - before).toBeLessThan(30);
    });

    test('is there again for a program that had let go of it', async () => {
      const script = 'exec <&- >&- 2>&-; sleep 0.2; exec >/dev/tty; seq 20000; exit 3';
      const { end, text } = await sh(init.session, script, { tty, wallMs: 10_000 });
      expect(end).toMatchObject({ cause: 'exited', exitCode: 3 });
      expect(text.split('\r\n')).toHaveLength(20001);
    });

    test('input that nobody reads keeps nothing from ending', async () => {
      const late = begin(init.session, ['sh', '-c', 'stty raw -echo; echo raw; sleep 1000'], { tty });
      await late.says('raw');
      const rest = late.stdin.write(Buffer.alloc(1024 * 1024, 'x'));
      late.stdin.end();
      late.kill();
      expect((await late.result).end).toMatchObject({ cause: 'killed' });
      await rest;
    });
  });

  describe('limits', () => {
    test('its stack, to what is said, and as far as its own may go', async () => {
      const soft = 'ulimit -Ss; ulimit -Hs';
      const [usual, hard] = (await sh(init.session, soft)).text.split('\n');
      expect((await sh(init.session, soft, { stackBytes: 67_108_864 })).text).toBe(`65536\n${hard}\n`);
      const { text } = await sh(init.session, `ulimit -s 16384; exec sh -c '${soft}'`, {
        stackBytes: 33_554_432,
      });
      expect(text).toBe('16384\n16384\n');
      // The next has its own again.
      expect((await sh(init.session, soft)).text).toBe(`${usual}\n${hard}\n`);
    });

    test('wall time', async () => {
      const { end } = await sh(init.session, 'sleep 1000 & sleep 1000', { wallMs: 150 });
      expect(end).toMatchObject({ cause: 'wall', exitCode: null, signal: 9 });
      expect(end.wallMs).toBeGreaterThanOrEqual(150);
      expect(init.processes()).toEqual([]);
    });

    test('wall time for ever', async () => {
      expect((await sh(init.session, 'exit 3', { wallMs: 0xffff_ffff })).end.exitCode).toBe(3);
    });

    test('CPU time of one process, and of several together', async () => {
      const busy = 'while :; do :; done';
      const one = await sh(init.session, busy, { cpuMs: 150 });
      expect(one.end).toMatchObject({ cause: 'cpu', signal: 9 });
      expect(one.end.cpuMs).toBeGreaterThanOrEqual(100);
      const several = await sh(init.session, `(${busy}) & (${busy}) & wait`, { cpuMs: 200 });
      expect(several.end).toMatchObject({ cause: 'cpu', signal: 9 });
      expect(several.end.cpuMs).toBeGreaterThanOrEqual(150);
    });

    test('CPU time of processes that have ended while their parent lives', async () => {
      // Each of its children is short, and waited for: none of them alone would ever reach the limit.
      const script = 'while :; do sh -c "i=0; while [ \\$i -lt 20000 ]; do i=\\$((i+1)); done"; done';
      const { end } = await sh(init.session, script, { cpuMs: 300, wallMs: 20_000 });
      expect(end).toMatchObject({ cause: 'cpu', signal: 9 });
    });

    test('sleeping costs no CPU time', async () => {
      const { end } = await sh(init.session, 'sleep 0.5; sleep 0.1', { cpuMs: 400 });
      expect(end).toMatchObject(wellEnded);
    });

    test.each([0, 1, 1000, 100_000])('output of more than %i bytes', async (outputBytes) => {
      const { end, stdout, stderr } = await sh(init.session, 'yes & yes >&2', { outputBytes });
      expect(end).toMatchObject({ cause: 'output', signal: 9 });
      expect(stdout.length + stderr.length).toBe(outputBytes + 1);
      expect(init.processes()).toEqual([]);
    });

    test('output of exactly what is allowed', async () => {
      const { end, stdout } = await run(init.session, ['head', '-c', '100000', '/dev/zero'], {
        outputBytes: 100_000,
      });
      expect(end).toMatchObject(wellEnded);
      expect(stdout.length).toBe(100_000);
    });

    test('a worker that stops reading does not stop the clock', async () => {
      const hold = Promise.withResolvers<void>();
      let held = false;
      const flooding = init.session.exec(step(['yes'], { wallMs: 300, outputBytes: 1e9 }), () => {
        held = true;
        return hold.promise;
      });
      await flooding.started;
      expect(await eventually(() => held)).toBe(true);
      // Nothing is read from here on: what ends the program is init’s own clock.
      expect(await eventually(() => init.processes().length === 0)).toBe(true);
      hold.resolve();
      expect(await flooding.ended).toMatchObject({ cause: 'wall' });
      expect((await sh(init.session, 'echo next')).text).toBe('next\n');
    });

    test('a worker that stops reading while it sends stdin byte by byte does not stop the clock', async () => {
      const hold = Promise.withResolvers<void>();
      // Each byte taken is to be said: more than the init’s own buffer holds of it.
      const script = 'head -c 400000 /dev/zero; cat >/dev/null';
      let held = false;
      const step = { argv: ['sh', '-c', script], env: { PATH: '/usr/bin:/bin' }, stdin: true, wallMs: 1500 };
      const flooding = init.session.exec({ ...step, cpuMs: null, outputBytes: 1e9 }, () => {
        held = true;
        return hold.promise;
      });
      await flooding.started;
      const written = (async () => {
        for (let i = 0; i < 200_000; i++) await flooding.stdin.write(Buffer.from('x'));
      })();
      expect(await eventually(() => held)).toBe(true);
      expect(await eventually(() => init.processes().length === 0)).toBe(true);
      hold.resolve();
      expect(await flooding.ended).toMatchObject({ cause: 'wall' });
      await written;
    });
  });

  describe('what a step leaves behind', () => {
    const daemon =
      'import os,time\n' +
      'if os.fork() == 0:\n' +
      '  os.setsid()\n' +
      '  if os.fork() == 0:\n' +
      '    while True: time.sleep(0.01); os.write(1, b"x")\n' +
      '  os._exit(0)\n' +
      'print("left", flush=True)\n';

    test('is gone before its end is told, and holds no stream open', async () => {
      for (let i = 0; i < 3; i++) {
        const { end, text } = await python(daemon);
        expect(end).toMatchObject(wellEnded);
        expect(text).toMatch(/^x*left\nx*$/);
        expect(init.processes()).toEqual([]);
      }
    });

    test('is gone under a terminal too', async () => {
      const { end } = await python(daemon, { tty: { cols: 80, rows: 24 } });
      expect(end.cause).toBe('exited');
      expect(init.processes()).toEqual([]);
    });

    test('streams that are on their way through a socket to nobody do not hold the end up', async () => {
      // Two sockets, each with the other and with stdout in its queue: the kernel keeps them, though no process does.
      const { end, text } = await python(
        'import os,socket,array\n' +
          'a, b = socket.socketpair()\n' +
          'fds = lambda *of: [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", of))]\n' +
          'a.sendmsg([b"x"], fds(a.fileno(), 1, 2)); b.sendmsg([b"x"], fds(b.fileno(), 1, 2))\n' +
          'os.write(1, b"said")',
        { wallMs: 5000 },
      );
      expect(end).toMatchObject(wellEnded);
      expect(text).toBe('said');
    });

    test('a fork bomb is cleaned up', async () => {
      const { end } = await python(
        'import os,resource\n' +
          'resource.setrlimit(resource.RLIMIT_NPROC, (60, 60))\n' +
          'while True:\n' +
          '  try: os.fork()\n' +
          '  except OSError: pass\n',
        { wallMs: 400 },
      );
      expect(end).toMatchObject({ cause: 'wall', signal: 9 });
      expect(init.processes()).toEqual([]);
      expect((await sh(init.session, 'echo next')).text).toBe('next\n');
    });

    test('orphans are no zombies while the step still runs', async () => {
      const { text } = await sh(
        init.session,
        'for i in 1 2 3 4 5; do (sh -c true &) ; done; sleep 0.3; cat /proc/[0-9]*/stat | grep -c ") Z" ; true',
      );
      expect(text).toBe('0\n');
    });
  });

  describe('is told, while a step runs,', () => {
    test('KILL', async () => {
      const killed = begin(init.session, ['sh', '-c', 'trap "" TERM INT HUP; echo here; sleep 1000 & wait']);
      await killed.says('here');
      killed.kill();
      expect((await killed.result).end).toMatchObject({ cause: 'killed', exitCode: null, signal: 9 });
      expect(init.processes()).toEqual([]);
      // What crosses the end is for nobody.
      killed.kill();
      killed.signal(9);
      expect((await sh(init.session, 'echo next')).text).toBe('next\n');
    });

    test('a signal, for the whole process group', async () => {
      const script =
        '(trap "echo child; exit" USR1; echo one; while :; do sleep 0.02; done) & ' +
        'trap "wait; echo parent; exit 5" USR1; echo two; while :; do sleep 0.02; done';
      const signalled = begin(init.session, ['sh', '-c', script]);
      await Promise.all([signalled.says('one'), signalled.says('two')]);
      signalled.signal(10);
      const { end, text } = await signalled.result;
      expect(end).toMatchObject({ cause: 'exited', exitCode: 5 });
      expect(text).toMatch(/child\nparent\n$/);
    });

    test('what makes no sense, and ends all though nobody reads its output', async () => {
      const own = await ownInit();
      const hold = Promise.withResolvers<void>();
      let held = false;
      const flooding = own.session.exec(step(['yes'], { outputBytes: 1e9 }), () => {
        held = true;
        return hold.promise;
      });
      expect(await eventually(() => held)).toBe(true);
      own.attachment.stdin.write(Buffer.from([0xff, 0, 0, 0, 0]));
      // Not yet waited for, but no longer running: the init waits for its worker to take the reason.
      expect(await eventually(() => own.processes().every(hasEnded))).toBe(true);
      hold.resolve();
      await expect(flooding.ended).rejects.toBeInstanceOf(SandboxLost);
      expect(await own.exited).toBe(70);
    });

    test('the end of its own input, and ends all with it', async () => {
      const own = await ownInit();
      const running = begin(own.session, [
        'sh',
        '-c',
        'setsid sleep 1000 & trap "" HUP TERM; echo here; wait',
      ]);
      await running.says('here');
      const left = own.processes();
      expect(left.length).toBeGreaterThanOrEqual(2);
      own.attachment.stdin.end();
      await own.exited;
      expect(own.processes()).toEqual([]);
      await expect(running.ended).rejects.toBeInstanceOf(SandboxLost);
    });

    test('the end of its own input, while nobody reads its output', async () => {
      const own = await ownInit({ sizeBytes: 64 * 1024 * 1024 });
      await sh(own.session, 'head -c 16000000 /dev/zero >big');
      const reading = own.session.read('big');
      await reading.next();
      // Whatever it waits for, it is not the one who is gone.
      own.attachment.stdin.end();
      await own.exited;
      own.session.close();
      await expect(
        reading
          .next()
          .then(() => reading.next())
          .then(() => reading.next()),
      ).rejects.toBeInstanceOf(SandboxLost);
    });
  });

  describe('usage', () => {
    test('is plausible', async () => {
      const busy = await sh(init.session, 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done');
      expect(busy.end.cpuMs).toBeGreaterThan(0);
      expect(busy.end.wallMs).toBeGreaterThan(0);
      expect(busy.end.maxMemoryBytes).toBeGreaterThan(100_000);
      const large = await python(
        'x = bytearray(50 * 1000 * 1000); x[::4096] = bytes(len(x[::4096])); print(len(x))',
      );
      expect(large.end).toMatchObject(wellEnded);
      expect(large.end.maxMemoryBytes).toBeGreaterThan(50_000_000);
      // Each step on its own.
      expect((await sh(init.session, 'true')).end.maxMemoryBytes).toBeLessThan(50_000_000);
    });

    test('is that of the program, not of the worker that reads what it left', async () => {
      const hold = Promise.withResolvers<void>();
      // It goes only when nothing takes any more of it: the rest is in its pipe, and waits for the worker.
      const script =
        'import os,time\n' +
        'os.set_blocking(1, False)\n' +
        'full = 0\n' +
        'while full < 20:\n' +
        '  try: os.write(1, bytes(4096)); full = 0\n' +
        '  except BlockingIOError: full += 1; time.sleep(0.01)\n' +
        'os._exit(0)';
      const running = init.session.exec(step(['python3', '-c', script]), () => hold.promise);
      const began = performance.now();
      await running.started;
      expect(await eventually(() => init.processes().length === 0)).toBe(true);
      await sleep(1000);
      const held = performance.now() - began;
      hold.resolve();
      expect((await running.ended).wallMs).toBeLessThan(held - 500);
    });

    test('counts what the first process left behind', async () => {
      const script = '(sh -c "while :; do :; done" &); sleep 0.5';
      const { end } = await sh(init.session, script);
      expect(end.cpuMs).toBeGreaterThan(50);
    });
  });

  describe('files', () => {
    test('nested, binary, empty, of every mode and every size around a frame', async () => {
      const own = await ownInit();
      const sizes = [0, 1, 65_535, 65_536, 65_537, 1_000_000];
      const files = sizes.map((size, i) => ({
        path: `a/b ${i}/ü\n${size}`,
        data: randomBytes(size),
        mode: 0o600 + i,
      }));
      files.push({ path: 'run.sh', data: Buffer.from('#!/bin/sh\necho ran'), mode: 0o755 });
      files.push({ path: '.hidden', data: Buffer.from('x'), mode: 0o4777 });
      await own.session.prepare(own.workdir, files);
      expect((await run(own.session, ['./run.sh'])).text).toBe('ran\n');
      const { files: listed, truncated } = await own.session.list(1000);
      expect(truncated).toBe(false);
      const byPath = (one: { path: string }, other: { path: string }) => (one.path < other.path ? -1 : 1);
      expect(listed.sort(byPath)).toEqual(
        files
          .map(({ path, data, mode }) => ({ path, sizeBytes: data.length, mode: mode & 0o777 }))
          .sort(byPath),
      );
      for (const { path, data } of files) expect((await read(own, path)).equals(data)).toBe(true);
    });

    test('a thousand of them', async () => {
      const own = await ownInit();
      const files = Array.from({ length: 1000 }, (_, i) => {
        return { path: `f${i % 10}/${i}`, data: Buffer.from(`file ${i}`), mode: 0o644 };
      });
      await own.session.prepare(own.workdir, files);
      const { text } = await sh(own.session, 'find . -type f | wc -l; cat f7/997');
      expect(text).toBe('1000\nfile 997');
      expect((await own.session.list(2000)).files).toHaveLength(1000);
      // Folders count too.
      const some = await own.session.list(100);
      expect(some.truncated).toBe(true);
      expect(some.files.length).toBeGreaterThan(0);
      expect(some.files.length).toBeLessThanOrEqual(100);
      expect((await own.session.list(1010)).truncated).toBe(false);
      expect((await own.session.list(1009)).truncated).toBe(true);
    });

    test('whose name is no UTF-8 are told by its bytes', async () => {
      const own = await ownInit();
      await sh(own.session, 'echo x > "$(printf "caf\\351")"; echo y > "$(printf "\\357\\277\\275")"');
      const { files, unnamed } = await own.session.list(10);
      expect(unnamed).toEqual([{ path: 'caf\ufffd', bytes: Buffer.from('caf\xe9', 'latin1') }]);
      // The replacement character itself is one like others.
      expect(files.map(({ path }) => path)).toEqual(['\ufffd']);
      expect((await read(own, '\ufffd')).toString()).toBe('y\n');
    });

    test('links and what is no file are neither followed nor listed nor read', async () => {
      const own = await ownInit();
      const { end } = await sh(
        own.session,
        'mkdir real; echo content >real/file; ln -s /etc/passwd passwd; ln -s real folder; ln -s / root; ' +
          'mkfifo pipe; ln -s nowhere dangling; echo x >inner; ln -s inner to-inner; mkdir -p a/b/c; ' +
          'python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\'socket\')"',
      );
      expect(end).toMatchObject(wellEnded);
      expect((await own.session.list(100)).files.map(({ path }) => path).sort()).toEqual([
        'inner',
        'real/file',
      ]);
      const refused = async (path: string) => (await failureOf(read(own, path))).errno;
      expect(await refused('passwd')).toBe(40); // ELOOP
      expect(await refused('to-inner')).toBe(40);
      expect(await refused('folder/file')).toBe(20); // ENOTDIR
      expect(await refused('root/etc/passwd')).toBe(20);
      expect(await refused('pipe')).toBe(22); // EINVAL
      expect(await refused('real')).toBe(22);
      expect(await refused('socket')).toBe(6); // ENXIO
      expect(await refused('nothing')).toBe(2);
      expect(await refused('no/thing')).toBe(2);
      expect((await read(own, 'real/file')).toString()).toBe('content\n');

      for (const path of ['to-inner', 'folder/file', 'dangling', 'pipe', 'real', 'inner/below']) {
        await own.session.prepare(own.workdir, [{ path, data: Buffer.from('over'), mode: 0o644 }]);
        const { what } = await failureOf(run(own.session, ['true']));
        expect([path, what]).toEqual([path, 'file']);
      }
      expect((await sh(own.session, 'cat inner real/file; ls nowhere 2>&1 | wc -l')).text).toBe(
        'x\ncontent\n1\n',
      );
    });

    test('of an image, with folders, links, modes and times, and a run’s own go before them', async () => {
      const own = await ownInit();
      const name = Buffer.from;
      const strings = (...all: string[]) => name(all.map((one) => `${one}\0`).join(''));
      const at = 1_000_000_000;
      await own.session.bring(
        pieces(
          frame('W', name(own.workdir)),
          frame('M', u32(0o1777), name('closed')),
          frame('F', u32(0o444), u64(4), name('closed/seed')),
          frame('D', name('seed')),
          frame('T', u64(at), name('closed/seed')),
          frame('N', strings('again', 'closed/seed')),
          frame('Y', strings('link', 'closed/seed')),
          frame('Y', strings('dangling', '/nowhere')),
          frame('T', u64(at), name('dangling')),
          frame('M', u32(0o500), name('closed')),
          frame('M', u32(0o755), name('empty/below')),
          frame('T', u64(at), name('closed')),
        ),
      );
      const look = 'stat -c "%n %a %Y %h %F" * closed/seed empty/below; cat again; readlink link dangling';
      const lines = (await sh(own.session, look)).text.split('\n');
      expect(lines).toContain(`closed 500 ${at} 2 directory`);
      expect(lines).toContain(`closed/seed 444 ${at} 2 regular file`);
      expect(lines).toContain(`again 444 ${at} 2 regular file`);
      expect(lines.filter((line) => line.startsWith('dangling 777'))[0]).toMatch(` ${at} 1 symbolic link`);
      expect(lines.some((line) => /^empty\/below 755 /.test(line))).toBe(true);
      expect(lines.slice(-3)).toEqual(['seedclosed/seed', '/nowhere', '']);

      const files = ['again', 'link', 'dangling', 'empty/below/new'];
      await own.session.prepare(
        own.workdir,
        files.map((path) => ({ path, data: name('own'), mode: 0o644 })),
      );
      expect((await sh(own.session, `cat ${files.join(' ')} closed/seed; find . -type l`)).text).toBe(
        'ownownownownseed',
      );
    });

    test('of an image that cannot be brought say so, and leave nothing to fail what comes next', async () => {
      const own = await ownInit({ sizeBytes: 1024 * 1024 });
      const name = Buffer.from;
      const file = (path: string, bytes: number) => [
        frame('F', u32(0o644), u64(bytes), name(path)),
        ...dataFrames('D', Buffer.alloc(bytes, 'x')),
      ];
      const bring = (...frames: Buffer[]) => failureOf(own.session.bring(pieces(...frames)));
      expect(await bring(...file('large', 2_000_000), ...file('more', 10))).toEqual({
        what: 'file',
        errno: 28,
        text: 'large',
      });
      await own.session.unlink('large');
      expect(await bring(frame('N', name('new\0missing\0')))).toMatchObject({ errno: 2, text: 'new' });
      expect(await bring(frame('Y', name('more\0other\0')))).toMatchObject({ errno: 17, text: 'more' });
      expect(await bring(frame('M', u32(0o755), name('more/below')))).toMatchObject({ errno: 20 });
      expect(await bring(frame('T', u64(1), name('missing')))).toMatchObject({ errno: 2 });
      expect(await bring(frame('W', name('/etc/passwd/below')))).toMatchObject({ what: 'workdir' });
      await own.session.prepare(own.workdir, []);
      expect((await sh(own.session, 'ls')).text).toBe('more\n');
    });

    test('are removed one by one, and what a link leads to is not', async () => {
      const own = await ownInit();
      await sh(
        own.session,
        'mkdir -p real; echo x >real/file; ln -s real/file link; ln -s real folder; mkfifo pipe',
      );
      for (const path of ['link', 'pipe']) await own.session.unlink(path);
      expect((await sh(own.session, 'ls; ls real')).text).toBe('folder\nreal\nfile\n');
      const refused = async (path: string) => (await failureOf(own.session.unlink(path))).errno;
      expect(await failureOf(own.session.unlink('nothing'))).toEqual({
        what: 'unlink',
        errno: 2,
        text: 'nothing',
      });
      expect(await refused('real')).toBe(21); // EISDIR
      expect(await refused('folder/file')).toBe(20);
      await own.session.unlink('real/file');
      await own.session.unlink('folder');
      expect(await own.session.list(10)).toEqual({ files: [], unnamed: [], truncated: false });
      await own.session.prepare('/etc/passwd/below', []);
      await sh(own.session, 'true').catch(() => {});
      await sh(own.session, 'echo x >kept');
      await own.session.prepare('/etc/passwd/below', []);
      expect(await failureOf(own.session.unlink('kept'))).toMatchObject({ what: 'workdir', errno: 20 });
      await own.session.prepare(own.workdir, []);
      expect((await sh(own.session, 'ls')).text).toBe('kept\nreal\n');
    });

    test('that could not be written fail what is asked next, whatever it is', async () => {
      const own = await ownInit();
      await sh(own.session, 'mkdir real; ln -s real folder; echo old >file');
      const bad = [
        { path: 'folder/new', data: Buffer.from('x'), mode: 0o644 },
        { path: 'file', data: Buffer.from('new'), mode: 0o644 },
      ];
      const questions = [
        () => own.session.list(0),
        () => read(own, 'file'),
        () => read(own, 'none'),
        () => own.session.unlink('none'),
        () => run(own.session, ['true']),
      ];
      for (const ask of questions) {
        await own.session.prepare(own.workdir, bad);
        expect(await failureOf(ask())).toEqual({ what: 'file', errno: 20, text: 'folder/new' });
        expect((await read(own, 'file')).toString()).toBe('new');
      }
    });

    test('a file that becomes shorter while it is read fails, and nothing else', async () => {
      const own = await ownInit();
      await sh(own.session, 'head -c 20000000 /dev/zero >big; echo x >file');
      const reading = own.session.read('big');
      await reading.next();
      // It waits for its worker, which has all that it can hold.
      truncateSync(`/proc/${own.pid}/root${own.workdir}/big`, 1);
      const rest = (async () => {
        for await (const _ of reading);
      })();
      expect(await failureOf(rest)).toEqual({ what: 'get', errno: 5, text: 'big' });
      expect((await read(own, 'file')).toString()).toBe('x\n');
    });

    test('a file of a size beyond all numbers is listed as what it is: too large', async () => {
      const own = await ownInit();
      expect(
        (await run(own.session, ['truncate', '-s', '9223372036854771712', 'endless'])).end,
      ).toMatchObject(wellEnded);
      const { files } = await own.session.list(10);
      expect(files).toEqual([{ path: 'endless', sizeBytes: Number.MAX_SAFE_INTEGER, mode: 0o644 }]);
    });

    test('names that are no text are left out', async () => {
      const own = await ownInit();
      const script = 'import os; [open(b, "w") for b in (b"\\xff\\xfe", b"good")]';
      await run(own.session, ['python3', '-c', script]);
      expect((await own.session.list(10)).files.map(({ path }) => path)).toEqual(['good']);
    });

    test('deep folders end somewhere', async () => {
      const own = await ownInit();
      await run(own.session, [
        'python3',
        '-c',
        'import os\nfor i in range(300): os.mkdir("d"); os.chdir("d"); open("f", "w").close()',
      ]);
      const { files } = await own.session.list(1000);
      expect(files).toHaveLength(64);
    });

    test('more than the folder holds', async () => {
      const own = await ownInit({ sizeBytes: 1024 * 1024 });
      const data = randomBytes(3 * 1024 * 1024);
      await own.session.prepare(own.workdir, [
        { path: 'large', data, mode: 0o644 },
        { path: 'after', data: Buffer.from('x'), mode: 0o644 },
      ]);
      expect(await failureOf(run(own.session, ['true']))).toEqual({ what: 'file', errno: 28, text: 'large' });
      expect((await sh(own.session, 'rm large; echo next')).text).toBe('next\n');
    });
  });

  describe('says why a program did not start:', () => {
    test('there is none', async () => {
      expect(await failureOf(run(init.session, ['no-such-program']))).toEqual({
        what: 'exec',
        errno: 2,
        text: 'no-such-program',
      });
      expect(await failureOf(run(init.session, ['./missing']))).toMatchObject({ what: 'exec', errno: 2 });
      expect(await failureOf(run(init.session, ['']))).toMatchObject({ what: 'exec', errno: 2 });
      expect(await failureOf(run(init.session, ['sh'], { env: { PATH: '' } }))).toMatchObject({ errno: 2 });
    });

    test('it is not executable, or nothing that can be executed', async () => {
      const own = await ownInit();
      await own.session.prepare(own.workdir, [
        { path: 'plain', data: Buffer.from('#!/bin/sh\n'), mode: 0o644 },
        { path: 'nonsense', data: Buffer.from('this is no program'), mode: 0o755 },
        { path: 'uninterpreted', data: Buffer.from('#!/no/such/shell\n'), mode: 0o755 },
      ]);
      expect(await failureOf(run(own.session, ['./plain']))).toMatchObject({ what: 'exec', errno: 13 });
      expect(await failureOf(run(own.session, ['/etc']))).toMatchObject({ what: 'exec', errno: 13 });
      expect(await failureOf(run(own.session, ['plain'], { env: { PATH: own.workdir } }))).toMatchObject({
        errno: 13,
      });
      expect(await failureOf(run(own.session, ['./nonsense']))).toMatchObject({ what: 'exec', errno: 8 });
      expect(await failureOf(run(own.session, ['./uninterpreted']))).toMatchObject({
        what: 'exec',
        errno: 2,
      });
      const large = { LARGE: 'x'.repeat(200_000) };
      expect(await failureOf(run(own.session, ['/bin/true'], { env: large }))).toMatchObject({
        what: 'exec',
        errno: 7,
      });
      expect((await sh(own.session, 'echo next')).text).toBe('next\n');
    });

    test('its arguments or its environment are more than can be told, and it is as it was before', async () => {
      const own = await ownInit();
      const many = Array.from({ length: 40 }, () => 'x'.repeat(120_000));
      const env = Object.fromEntries(many.map((value, i) => [`V${i}`, value]));
      const tooLong = { what: 'exec', errno: 7, text: 'true' };
      // Told, and refused by the kernel; then one that cannot be told.
      expect(await failureOf(run(own.session, ['true', ...many.slice(0, 30)]))).toEqual(tooLong);
      const refused = begin(own.session, ['true', ...many], { stdin: true });
      await refused.stdin.write(Buffer.alloc(1024 * 1024));
      refused.stdin.end();
      expect(await failureOf(refused.result)).toEqual(tooLong);
      expect(await failureOf(run(own.session, ['true'], { env }))).toEqual(tooLong);
      expect((await sh(own.session, 'echo next')).text).toBe('next\n');

      await own.session.prepare(own.workdir, [{ path: 'a', data: Buffer.from('x'), mode: 0o644 }]);
      await own.session.prepare(own.workdir, [{ path: 'a/b', data: Buffer.from('x'), mode: 0o644 }]);
      // That it lacks its files comes first here too, and is of this step alone.
      expect(await failureOf(run(own.session, ['true', ...many]))).toMatchObject({
        what: 'file',
        text: 'a/b',
      });
      expect((await sh(own.session, 'cat a')).text).toBe('x');
    });

    test.each([-1, 0, 1])('its arguments are %i bytes more than can be told', async (more) => {
      const own = await ownInit();
      // EXEC_MAX of the init, without an EXEC's fixed part.
      const room = 4 * 1024 * 1024 - 32 - Buffer.byteLength('true\0');
      const argument = 'x'.repeat(room + more - 1);
      expect(await failureOf(run(own.session, ['true', argument], { env: {} }))).toMatchObject({ errno: 7 });
      expect((await sh(own.session, 'echo next')).text).toBe('next\n');
    });

    test('its work folder cannot be', async () => {
      const own = await startInit({ beside });
      onTestFinished(own.stop);
      await own.session.prepare('/etc/passwd/below', []);
      expect(await failureOf(run(own.session, ['true']))).toEqual({
        what: 'workdir',
        errno: 20,
        text: '/etc/passwd/below',
      });
      await own.session.prepare('/etc/of-another/below', []);
      expect(await failureOf(run(own.session, ['true']))).toMatchObject({ what: 'workdir', errno: 13 });
      await own.session.prepare(`${own.workdir}/made/on the way`, []);
      expect((await run(own.session, ['pwd'])).text).toBe(`${own.workdir}/made/on the way\n`);
    });

    test('its files cannot be written', async () => {
      const own = await startInit({ beside });
      onTestFinished(own.stop);
      await own.session.prepare('/etc', [
        { path: 'of-another/file', data: Buffer.from('x'), mode: 0o644 },
        { path: 'file', data: randomBytes(200_000), mode: 0o644 },
      ]);
      const first = begin(own.session, ['echo', 'never seen']);
      expect(await failureOf(first.result)).toEqual({ what: 'file', errno: 13, text: 'of-another/file' });
      await own.session.prepare('/etc', [{ path: 'file', data: randomBytes(200_000), mode: 0o644 }]);
      expect(await failureOf(run(own.session, ['true']))).toEqual({ what: 'file', errno: 13, text: 'file' });
      await own.session.prepare(own.workdir, []);
      const { text }: Ran = await sh(own.session, 'echo next');
      expect(text).toBe('next\n');
    });
  });

  test('files, program and input leave in one write, wherever they are sent from', async () => {
    const own = await ownInit();
    const { stdin } = own.attachment;
    let writes = 0;
    const write = stdin._writev?.bind(stdin);
    stdin._writev = (chunks, done) => {
      writes += 1;
      write?.(chunks, done);
    };
    const files = [1, 2, 3].map((i) => ({ path: `${i}`, data: randomBytes(i * 1000), mode: 0o644 }));
    for (const turn of [setImmediate, setTimeout, process.nextTick, queueMicrotask]) {
      const begun = Promise.withResolvers<ReturnType<typeof begin>>();
      writes = 0;
      turn(async () => {
        await own.session.prepare(own.workdir, files);
        const cat = begin(own.session, ['cat'], { stdin: true });
        void cat.stdin.write(Buffer.from('input')).then(() => cat.stdin.end());
        begun.resolve(cat);
      });
      expect((await (await begun.promise).result).text).toBe('input');
      expect(writes).toBe(1);
    }
  });

  test('outside a container it does nothing', async () => {
    const { end } = await run(init.session, ['sh', '-c', `exec ${init.workdir}/../init`]);
    expect(end.exitCode).toBe(64);
  });
});
