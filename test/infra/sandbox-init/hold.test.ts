import { describe, expect, test } from 'vitest';
import { SandboxLost } from '../../../services/worker/sandbox/init/session.ts';
import {
  begin,
  canRun,
  cpuTicks,
  eventually,
  type Init,
  ownInit,
  run,
  sh,
  step,
  wellEnded,
} from './support.ts';

const script = (text: string, path = 'main.sh') => ({ path, data: Buffer.from(text), mode: 0o644 });

/** Speaks, and waits for an end of its stdin. */
const waits = script('echo here; read -r line; echo "$line"');

describe.skipIf(!canRun)('a sandbox init holds a program', () => {
  const bash = step(['bash', 'main.sh'], { stdin: true });

  async function holding(init: Init, held = bash, until = 'main.sh'): Promise<number> {
    // A hold gives up after half a second. On a busy machine an interpreter may take longer until it opens its script.
    let reached = false;
    for (let tries = 1; !reached && tries <= 20; tries += 1) reached = await init.session.hold(held, until);
    expect(reached).toBe(true);
    const [pid, ...others] = init.processes();
    expect(others).toEqual([]);
    return pid as number;
  }

  /** Whether the step is carried out by the program that was held. */
  async function isCarriedOutBy(init: Init, pid: number, argv: string[], changes = {}): Promise<boolean> {
    const running = begin(init.session, argv, { stdin: true, ...changes });
    await running.says('here');
    const processes = init.processes();
    await running.stdin.write(Buffer.from('said\n'));
    expect((await running.result).text).toMatch(/^here\r?\n(?:said\r?\n)+$/);
    return processes.includes(pid);
  }

  test.each([
    { user: 'the only one', root: false },
    { user: 'one of two', root: true },
  ])('until it asks for what it was not to see before: as $user', async ({ root }) => {
    const init = await ownInit({ root });
    const pid = await holding(init);
    await init.session.prepare(init.workdir, [waits]);
    expect(await isCarriedOutBy(init, pid, bash.argv)).toBe(true);
    expect(init.processes()).toEqual([]);
    // The next is an ordinary one.
    expect((await run(init.session, bash.argv)).end).toMatchObject(wellEnded);
  });

  test('that names the path as an absolute one', async () => {
    const init = await ownInit();
    const python = step(['python3', '-I', 'main.py'], { stdin: true });
    const pid = await holding(init, python, 'main.py');
    await init.session.prepare(init.workdir, [
      script('print("here", flush=True); print(input())', 'main.py'),
    ]);
    expect(await isCarriedOutBy(init, pid, python.argv)).toBe(true);
  });

  test('which finds no trace of it', async () => {
    const init = await ownInit();
    const cat = step(['cat', '/proc/self/status']);
    await holding(init, cat, '/proc/self/status');
    const { text } = await run(init.session, cat.argv);
    expect(text).toContain('TracerPid:\t0\n');
    expect(text.match(/^Sig(?:Pnd|Blk|Ign|Cgt):\t0{16}$/gm)).toHaveLength(4);
  });

  describe('with the stack of its step', () => {
    const MiB = 2 ** 20;
    /** Its limit, what the C library gives a thread, and whether nothing lies where its own stack is to grow. */
    const look = script(
      [
        'import ctypes, resource',
        'soft = resource.getrlimit(resource.RLIMIT_STACK)[0]',
        'lines = [line.split() for line in open("/proc/self/maps")]',
        'at = next(i for i, line in enumerate(lines) if line[-1] == "[stack]")',
        'edge = lambda i, side: int(lines[i][0].split("-")[side], 16)',
        'size, attributes = ctypes.c_size_t(), ctypes.create_string_buffer(256)',
        'libc = ctypes.CDLL(None)',
        'libc.pthread_attr_init(attributes)',
        'libc.pthread_attr_getstacksize(attributes, ctypes.byref(size))',
        'print("here", soft, size.value, edge(at, 0) - edge(at - 1, 1) > soft, flush=True)',
        'print(input())',
      ].join('\n'),
      'main.py',
    );
    const python = (stackBytes?: number) => step(['python3', '-I', 'main.py'], { stdin: true, stackBytes });

    test.each([
      { held: 256 * MiB, wanted: 256 * MiB, same: true, threads: 256 * MiB },
      { held: 256 * MiB, wanted: 2 ** 33, same: true, threads: 256 * MiB },
      { held: 256 * MiB, wanted: 8 * MiB, same: true, threads: 256 * MiB },
      { held: 256 * MiB, wanted: 2 ** 37, same: false, threads: 2 ** 37 },
      { held: undefined, wanted: 256 * MiB, same: false, threads: 256 * MiB },
    ])('of $wanted bytes, held with $held', async ({ held, wanted, same, threads }) => {
      const init = await ownInit();
      const pid = await holding(init, python(held), 'main.py');
      await init.session.prepare(init.workdir, [look]);
      const running = begin(init.session, python().argv, { stdin: true, stackBytes: wanted });
      await running.says('here');
      expect(init.processes().includes(pid)).toBe(same);
      await running.stdin.write(Buffer.from('done\n'));
      expect((await running.result).text).toBe(`here ${wanted} ${threads} True\ndone\n`);
    });

    test('not at all where the init may not change it, as it has another user', async () => {
      const init = await ownInit({ root: true });
      expect(await init.session.hold(python(256 * MiB), 'main.py')).toBe(false);
      await init.session.prepare(init.workdir, [look]);
      const running = begin(init.session, python().argv, { stdin: true, stackBytes: 64 * MiB });
      await running.stdin.write(Buffer.from('done\n'));
      expect((await running.result).text).toBe(`here ${64 * MiB} ${64 * MiB} True\ndone\n`);
    });
  });

  test('and counts its time from when it goes on', async () => {
    const init = await ownInit();
    const busy = step(['bash', '-c', 'for ((i = 0; i < 20000; i++)); do :; done; . ./later']);
    const pid = await holding(init, busy, './later');
    const before = cpuTicks(pid) * 10;
    await init.session.prepare(init.workdir, [script('echo late', 'later')]);
    const { end, text } = await run(init.session, busy.argv, { cpuMs: 60_000 });
    expect({ end, text }).toMatchObject({ end: wellEnded, text: 'late\n' });
    expect(end.cpuMs).toBeLessThan(Math.max(before, 10));
  });

  test('whose limits are those of its step', async () => {
    const init = await ownInit();
    await holding(init);
    await init.session.prepare(init.workdir, [script('while :; do :; done')]);
    const { end } = await run(init.session, bash.argv, { stdin: true, cpuMs: 60 });
    expect(end).toMatchObject({ cause: 'cpu', signal: 9 });
  });

  test.each([
    ['another program', ['sh', 'main.sh'], {}],
    ['other arguments', ['bash', 'main.sh', 'one'], {}],
    ['other variables', ['bash', 'main.sh'], { env: { PATH: '/usr/bin:/bin', MORE: '1' } }],
    ['a terminal', ['bash', 'main.sh'], { tty: { cols: 80, rows: 24 } }],
    ['one pipe', ['bash', 'main.sh'], { mergeStderr: true }],
  ])('and ends it for one that differs: %s', async (_, argv, changes) => {
    const init = await ownInit();
    const pid = await holding(init);
    await init.session.prepare(init.workdir, [waits]);
    expect(await isCarriedOutBy(init, pid, argv, changes)).toBe(false);
    expect(init.processes()).toEqual([]);
  });

  test('and ends it for one without a stdin', async () => {
    const init = await ownInit();
    const pid = await holding(init);
    await init.session.prepare(init.workdir, [script('echo $$; readlink /proc/self/fd/0')]);
    expect((await run(init.session, bash.argv)).text).toMatch(/\/dev\/null\n$/);
    expect(init.processes()).not.toContain(pid);
  });

  test('and ends it where it might have found something on its way', async () => {
    const init = await ownInit();
    let pid = await holding(init);
    await init.session.prepare(`${init.workdir}/below`, [waits]);
    expect(await isCarriedOutBy(init, pid, bash.argv)).toBe(false);

    await init.session.prepare(init.workdir, []);
    pid = await holding(init);
    await init.session.prepare(init.workdir, [waits, script('', '.local/lib/sitecustomize.py')]);
    expect(await isCarriedOutBy(init, pid, bash.argv)).toBe(false);
  });

  test('and ends it for another that is to be held', async () => {
    const init = await ownInit();
    const first = await holding(init);
    expect(await holding(init, step(['sh', 'main.sh']), 'main.sh')).not.toBe(first);
  });

  test('and does what there is to do meanwhile', async () => {
    const init = await ownInit();
    const pid = await holding(init);
    await init.session.prepare(init.workdir, [waits, script('bytes', 'a/b')]);
    const { files } = await init.session.list(100);
    expect(files.map(({ path }) => path).sort()).toEqual(['a/b', 'main.sh']);
    await init.session.unlink('a/b');
    expect(await isCarriedOutBy(init, pid, bash.argv)).toBe(true);
  });

  test.each([
    ['ends before', ['true']],
    ['is none', ['nothing-of-this-name']],
    ['is killed', ['sh', '-c', 'kill -9 $$']],
    ['takes too long', ['sleep', '600']],
    ['leaves others', ['sh', '-c', 'sleep 600 & exit 0']],
    ['takes too long, and others too', ['sh', '-c', 'sleep 600 & sleep 600']],
  ])('unless it %s', async (_, argv) => {
    const init = await ownInit();
    expect(await init.session.hold(step(argv), 'main.sh')).toBe(false);
    expect(init.processes()).toEqual([]);
    expect((await sh(init.session, 'echo still')).text).toBe('still\n');
    expect(init.processes()).toEqual([]);
  });

  test('nor where its folder cannot be', async () => {
    const init = await ownInit();
    await init.session.prepare('/proc/nothing', []);
    expect(await init.session.hold(bash, 'main.sh')).toBe(false);
    await init.session.prepare(init.workdir, [waits]);
    expect(await isCarriedOutBy(init, 0, bash.argv)).toBe(false);
    expect(init.processes()).toEqual([]);
  });

  test('nor where it is more than can be told', async () => {
    const init = await ownInit();
    const first = await holding(init);
    const env = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`V${i}`, 'x'.repeat(120_000)]));
    expect(await init.session.hold({ ...bash, env }, 'main.sh')).toBe(false);
    await init.session.prepare(init.workdir, [waits]);
    expect(await isCarriedOutBy(init, first, bash.argv)).toBe(false);
    expect(init.processes()).toEqual([]);
  });

  test('and starts it anew when it was killed meanwhile', async () => {
    const init = await ownInit();
    const pid = await holding(init);
    process.kill(pid, 'SIGKILL');
    expect(await eventually(() => init.processes().length === 0)).toBe(true);
    await init.session.prepare(init.workdir, [waits]);
    expect(await isCarriedOutBy(init, pid, bash.argv)).toBe(false);
  });

  test('that goes with it', async () => {
    const init = await ownInit();
    const pid = await holding(init);
    init.session.close();
    await init.exited;
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  test('but not beside a service', async () => {
    const init = await ownInit({ beside: true });
    await expect(init.session.hold(bash, 'main.sh')).rejects.toBeInstanceOf(SandboxLost);
  });
});
