import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { SandboxLost, StartFailed } from '../../../services/worker/sandbox/init/session.ts';
import { begin, canRun, type Init, ownInit, places, run, sh, startInit, wellEnded } from './support.ts';

/** What a hostile program reaches for, tried one after another; each says the error's name, or `allowed`. */
const attempts = `
import ctypes, errno, json, os, resource, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
results = {}
def attempt(name, work):
    try: work(); results[name] = 'allowed'
    except OSError as error: results[name] = errno.errorcode[error.errno]
def call(function, *arguments):
    if function(*arguments) < 0: raise OSError(ctypes.get_errno(), 'refused')
def opened(path, flags=os.O_RDONLY): os.close(os.open(path, flags))
`;

const said = (script: string) => `${attempts}\n${script}\nprint(json.dumps(results))`;

describe.skipIf(!canRun).each(places)('under a sandbox init, $place, a program', ({ beside }) => {
  let init: Init;
  beforeAll(async () => {
    init = await startInit({ beside });
    await init.session.prepare(init.workdir, []);
  });
  afterAll(async () => {
    expect(init.service()).toHaveLength(beside ? 2 : 0);
    await init.stop();
  });

  const python = (script: string, changes = {}) => run(init.session, ['python3', '-c', script], changes);

  async function tries(script: string): Promise<Record<string, string>> {
    const { end, text, stderr } = await python(said(script));
    expect(stderr.toString()).toBe('');
    expect(end).toMatchObject(wellEnded);
    return JSON.parse(text);
  }

  /** Nothing of what came before reaches it. */
  async function nextStepIsRight(): Promise<void> {
    expect(init.processes()).toEqual([]);
    const cat = begin(init.session, ['sh', '-c', 'cat; echo err >&2; exit 6'], { stdin: true });
    await cat.stdin.write(Buffer.from('in and out'));
    cat.stdin.end();
    const { end, text, stderr } = await cat.result;
    expect(end).toMatchObject({ cause: 'exited', exitCode: 6, signal: null });
    expect([text, stderr.toString()]).toEqual(['in and out', 'err\n']);
  }

  const refusals = (results: Record<string, string>) => [...new Set(Object.values(results))];

  test('that opens and closes sockets without end goes on, and what it has stopped stays so', async () => {
    const script = [
      'import os, signal, socket, time',
      'child = os.fork()',
      'while child == 0: signal.pause()',
      'os.kill(child, signal.SIGSTOP)',
      'state = lambda: open(f"/proc/{child}/stat").read().rsplit(")", 1)[1].split()[0]',
      'while state() != "T": pass',
      'until, states = time.monotonic() + 1.5, set()',
      'while time.monotonic() < until:',
      '  for _ in range(2000): socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()',
      '  states.add(state())',
      'print(*states)',
    ].join('\n');
    const { end, text } = await python(script);
    expect(end).toMatchObject(wellEnded);
    expect(text).toBe('T\n');
  });

  test('forges no frames', async () => {
    // An EXIT, a READY, a BROKEN, an unknown type, a length beyond all bounds, and the end of a list.
    const forged = Buffer.concat([
      Buffer.from('7825000000000000000000000000', 'hex'),
      Buffer.alloc(28),
      Buffer.from('720100000001', 'hex'),
      Buffer.from('620100000021', 'hex'),
      Buffer.from('ff00000000', 'hex'),
      Buffer.from('6fffffffff', 'hex'),
      Buffer.from('7a0100000000', 'hex'),
    ]);
    const script = `import os; [os.write(fd, bytes.fromhex('${forged.toString('hex')}')) for fd in (1, 2) for i in range(50)]`;
    const { end, stdout, stderr } = await python(script);
    expect(end).toMatchObject(wellEnded);
    const often = Buffer.concat(Array.from({ length: 50 }, () => forged));
    expect(stdout.equals(often) && stderr.equals(often)).toBe(true);
    await nextStepIsRight();
  });

  test('reaches nothing of init’s through /proc', async () => {
    const results = await tries(`
for fd in range(4):
    for flags in (os.O_RDONLY, os.O_WRONLY): attempt(f'fd {fd} {flags}', lambda: opened(f'/proc/${init.innerPid}/fd/{fd}', flags))
for name in ('environ', 'maps', 'auxv', 'stack', 'syscall', 'mem', 'io'):
    attempt(name, lambda: open(f'/proc/${init.innerPid}/{name}', 'rb').read(1))
for name in ('fd', 'fdinfo', 'map_files', 'root', 'cwd'): attempt(name, lambda: os.listdir(f'/proc/${init.innerPid}/{name}'))
for name in ('exe', 'cwd', 'root', 'ns/pid'): attempt('link ' + name, lambda: os.readlink(f'/proc/${init.innerPid}/{name}'))
for name in ('mem', 'oom_score_adj', 'oom_adj', 'clear_refs', 'coredump_filter', 'comm', 'timerslack_ns', 'autogroup'):
    if os.path.exists(f'/proc/${init.innerPid}/{name}'): attempt('write ' + name, lambda: open(f'/proc/${init.innerPid}/{name}', 'wb', 0).write(b'1'))
`);
    expect(Object.keys(results).length).toBeGreaterThan(20);
    expect(['EACCES', 'EPERM']).toEqual(expect.arrayContaining(refusals(results)));
    await nextStepIsRight();
  });

  test('does not trace init, nor take its memory or its descriptors', async () => {
    const results = await tries(`
for name, number in (('attach', 16), ('seize', 0x4206)): attempt(name, lambda: call(libc.ptrace, number, ${init.innerPid}, 0, 0))
class Vector(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(16)
ours, theirs = Vector(ctypes.addressof(buffer), 16), Vector(0x400000, 16)
for name in ('process_vm_readv', 'process_vm_writev'):
    attempt(name, lambda: call(getattr(libc, name), ${init.innerPid}, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0))
pidfd = os.pidfd_open(${init.innerPid})
for fd in range(3): attempt(f'pidfd_getfd {fd}', lambda: call(libc.syscall, 438, pidfd, fd, 0))
`);
    expect(Object.keys(results)).toHaveLength(7);
    expect(refusals(results)).toEqual(['EPERM']);
    await nextStepIsRight();
  });

  // Beside a service nothing keeps a program from ending an init of its own user: beside.test.ts.
  const sendsAll = async () => {
    const script = `
import os, signal
for number in range(1, 65):
    for i in range(20):
        try: os.kill(1, number)
        except OSError: pass
print('sent')`;
    const { end, text } = await python(script);
    expect(end).toMatchObject(wellEnded);
    expect(text).toBe('sent\n');
    await nextStepIsRight();
    // Everybody but init, and itself.
    const all = await python('import os; os.fork(); os.fork(); os.kill(-1, 9); os.kill(os.getpid(), 9)');
    expect(all.end.cause).toBe('exited');
    await nextStepIsRight();
  };
  if (!beside) test('does not end init, whatever it sends', sendsAll);

  test('closes its descriptors and sets its limits for itself alone', async () => {
    const script = `
import os, resource
for name in dir(resource):
    if name.startswith('RLIMIT_') and name not in ('RLIMIT_AS', 'RLIMIT_DATA', 'RLIMIT_STACK', 'RLIMIT_CPU'):
        resource.setrlimit(getattr(resource, name), (0, 0))
os.closerange(0, 1000)
os.umask(0o777); os.nice(19); os.chdir('/'); os.sched_setaffinity(0, {0})
os._exit(4)`;
    const { end, text } = await python(script);
    expect(end).toMatchObject({ cause: 'exited', exitCode: 4 });
    expect(text).toBe('');
    const { text: next } = await sh(init.session, 'ulimit -n; umask; nice; pwd');
    expect(Number(next.split('\n')[0])).toBeGreaterThan(3);
    expect(next.split('\n').slice(1)).toEqual(['0022', '0', init.workdir, '']);
    await nextStepIsRight();
  });

  test('spoils its streams for itself alone', async () => {
    const script = `
import fcntl, os
for fd in (0, 1, 2):
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
    if fd > 0: fcntl.fcntl(fd, 1031, 4096)  # F_SETPIPE_SZ
# The other ends of its own pipes.
reader, writer = os.open('/proc/self/fd/1', os.O_RDONLY), os.open('/proc/self/fd/0', os.O_WRONLY | os.O_NONBLOCK)
while True:
    try: os.write(writer, b'x' * 4096)
    except BlockingIOError: break
os.write(1, b'said')
os.set_blocking(reader, False)
os._exit(3)`;
    const spoiling = begin(init.session, ['python3', '-c', script], { stdin: true, wallMs: 10_000 });
    const written = spoiling.stdin.write(Buffer.alloc(500_000));
    const { end, text } = await spoiling.result;
    await written;
    expect(end).toMatchObject({ cause: 'exited', exitCode: 3 });
    expect(text).toBe('said');
    await nextStepIsRight();
  });

  test('that has its first process traced by another is ended by the clock all the same', async () => {
    const script = `${attempts}
parent = os.getpid()
libc.prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)  # PR_SET_PTRACER, where Yama asks for it
told, tell = os.pipe()
if os.fork() == 0:
    call(libc.ptrace, 0x4206, parent, 0, 0)
    os.write(tell, b'x')
    while True: signal.pause()
os.read(told, 1)
os._exit(5)`;
    const { end } = await python(script, { wallMs: 700 });
    expect(end.cause).toBe('wall');
    await nextStepIsRight();
  });

  test('that would be traced by the init is ended, and what it has used is counted once', async () => {
    const script = `${attempts}
import time
while time.process_time() < 0.5: pass
call(libc.ptrace, 0, 0, 0, 0)
os.write(1, str(time.process_time()).encode())
os.kill(os.getpid(), signal.SIGCHLD)
signal.pause()`;
    const { end, text } = await python(script);
    expect(end).toMatchObject({ cause: 'exited', signal: 9 });
    expect(end.cpuMs).toBeLessThan(1.5 * 1000 * Number(text));
    await nextStepIsRight();
  });

  test('that stops itself is ended by the clock, and by KILL', async () => {
    expect((await sh(init.session, 'kill -STOP $$', { wallMs: 200 })).end).toMatchObject({
      cause: 'wall',
      signal: 9,
    });
    const stopped = begin(init.session, ['sh', '-c', 'echo here; kill -STOP 0']);
    await stopped.says('here');
    stopped.kill();
    expect((await stopped.result).end).toMatchObject({ cause: 'killed', signal: 9 });
    await nextStepIsRight();
  });

  test('spoils its terminal for itself alone', async () => {
    const script = `
import fcntl, os, termios, tty
tty.setraw(0)
fcntl.ioctl(0, termios.TIOCEXCL)
os.write(1, b'said')
termios.tcflow(1, termios.TCOOFF)
os._exit(2)`;
    const { end, text } = await python(script, { tty: { cols: 80, rows: 24 }, wallMs: 10_000 });
    expect(end).toMatchObject({ exitCode: 2 });
    expect(text).toBe('said');
    const { text: size } = await sh(init.session, 'stty size; stty -a | grep -c " icanon"', {
      tty: { cols: 90, rows: 25 },
    });
    expect(size).toBe('25 90\r\n1\r\n');
    await nextStepIsRight();
  });

  test('leaves hundreds of threads and processes, and none is left', async () => {
    const script = `
import os, signal, threading, time
for i in range(100):
    if os.fork() == 0:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        threading.Thread(target=time.sleep, args=(1000,)).start()
        time.sleep(1000)
os._exit(9)`;
    expect((await python(script)).end).toMatchObject({ cause: 'exited', exitCode: 9 });
    await nextStepIsRight();
  });

  test('takes its work folder away, and the next step runs in what is left of it', async () => {
    const own = await startInit({ beside });
    onTestFinished(own.stop);
    const folder = `${own.workdir}/inner`;
    await own.session.prepare(folder, [{ path: 'file', data: Buffer.from('x'), mode: 0o644 }]);
    await sh(own.session, `cd ..; rm -r ${folder}; ln -s /etc ${folder}`);
    expect(await own.session.list(10)).toEqual({ files: [], unnamed: [], truncated: false });
    expect((await run(own.session, ['echo', 'next'])).text).toBe('next\n');
  });

  // The kernel lets any process of the same user do so; in a container the seccomp profile may refuse it.
  test.each([0, 8])(
    'that leaves init %i descriptors gets no further step, and no endless wait',
    async (most) => {
      const own = await ownInit({ beside });
      const script = `import resource; resource.prlimit(${own.innerPid}, resource.RLIMIT_NOFILE, (${most}, ${most}))`;
      await run(own.session, ['python3', '-c', script]).catch(() => {});
      await expect(run(own.session, ['true'])).rejects.toThrow(most > 0 ? StartFailed : SandboxLost);
      await own.session.closed;
      await own.exited;
    },
  );
});
