import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { Worker } from '../../../shared/contracts/worker.ts';
import type { Runlet } from '../../support/runlet.ts';

export const MiB = 1024 * 1024;

/** Every one of these stops by itself here: on a code that does not hold it, the machine has to survive the test. */
const maxMiB = 1536;

/**
 * Programs in Python that fill a disk in one way each. They say after each step how many MiB they have written; what was said last is what
 * was written at least when they were ended.
 */
const begin = `
import ctypes, mmap, os, socket, sys, threading, time
where, most, piece = sys.argv[1], ${maxMiB}, b"x" * (1 << 20)
written = 0
def name(i): return f"{where}/f{i}"
def said(mib):
    global written
    written += mib
    print(written, flush=True)
def fill(f, mib):
    for _ in range(mib):
        os.write(f, piece)
def opened(i): return os.open(name(i), os.O_RDWR | os.O_CREAT, 0o600)
`;
const wait = '\ntime.sleep(60)\n';
const each = (body: string) => `${begin}
for i in range(most // 32):
${body.replace(/^/gm, '    ')}
    said(32)
${wait}`;

export const fillers = {
  plain: each('f = opened(i); fill(f, 32); os.close(f)'),
  'deleted, and open': each('f = opened(i); fill(f, 32); os.unlink(name(i))'),
  'deleted, and mapped': each(`
f = opened(i); fill(f, 32)
globals().setdefault("maps", []).append(mmap.mmap(f, 4096))
os.unlink(name(i)); os.close(f)`),
  // The descriptors are those of a thread that does not share its process's.
  'deleted, and open in a thread with descriptors of its own': `${begin}
libc = ctypes.CDLL(None, use_errno=True)
stack = ctypes.create_string_buffer(1 << 20)
held = opened(0)
for i in range(most // 32):
    f = opened(i); fill(f, 32); os.unlink(name(i))
    # CLONE_VM | FS | SIGHAND | THREAD | SYSVSEM, without CLONE_FILES; it does nothing but wait.
    space = ctypes.create_string_buffer(65536)
    globals().setdefault("kept", []).append(space)
    top = (ctypes.addressof(space) + 65000) & ~15
    pause = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(("pause", libc))
    libc.clone(pause, ctypes.c_void_p(top), 0x50b00, None)
    os.close(f)
    said(32)
${wait}`,
  // No process has them open: they lie in the socket's queue.
  'deleted, and on their way through a socket': `${begin}
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
for i in range(most // 32):
    if i % 8 == 0:
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        globals().setdefault("pairs", []).append((a, b))
    f = opened(i); fill(f, 32); os.unlink(name(i))
    socket.send_fds(a, [b"x"], [f])
    os.close(f)
    said(32)
${wait}`,
  'room taken ahead, past the size of the file': `${begin}
libc = ctypes.CDLL(None, use_errno=True)
for i in range(most // 32):
    f = opened(i)
    if libc.fallocate(f, 1, ctypes.c_long(0), ctypes.c_long(32 << 20)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")
    said(32)
${wait}`,
  'room taken ahead, by the older call': `${begin}
import fcntl, struct
for i in range(most // 32):
    f = opened(i)
    # FS_IOC_RESVSP64 with a struct space_resv; the kernel takes the number as 32 bits, whatever stands above.
    fcntl.ioctl(f, 0x4030582a, struct.pack("hhqqiI4i", 0, 0, 0, 32 << 20, 0, 0, 0, 0, 0, 0))
    said(32)
${wait}`,
  // What is written there would be in nobody's quota.
  'a folder that its owner takes out of its project, by flags': `${begin}
import fcntl, struct
os.mkdir(where + "/out")
d = os.open(where + "/out", os.O_RDONLY | os.O_DIRECTORY)
flags, = struct.unpack("q", fcntl.ioctl(d, 0x80086601, struct.pack("q", 0)))
fcntl.ioctl(d, 0x40086602, struct.pack("q", flags & ~0x20000000))
where += "/out"
for i in range(most // 32):
    f = opened(i); fill(f, 32); os.close(f)
    said(32)
${wait}`,
  'a folder that its owner takes out of its project, by attributes': `${begin}
import fcntl, struct
os.mkdir(where + "/out")
d = os.open(where + "/out", os.O_RDONLY | os.O_DIRECTORY)
fcntl.ioctl(d, 0x401c5820, struct.pack("IIIII8x", 0, 0, 0, 0, 0))
where += "/out"
for i in range(most // 32):
    f = opened(i); fill(f, 32); os.close(f)
    said(32)
${wait}`,
  'a tree as deep as can be, and a file at its end': `${begin}
os.chdir(where)
for i in range(8000):
    os.mkdir("d"); os.chdir("d")
for i in range(most // 32):
    f = os.open(f"f{i}", os.O_RDWR | os.O_CREAT); fill(f, 32); os.close(f)
    said(32)
${wait}`,
  'empty files': `${begin}
for i in range(most):
    os.mkdir(name(i))
    for j in range(256):
        os.close(os.open(f"{name(i)}/{j}", os.O_CREAT, 0o600))
    said(1)
${wait}`,
  'names that are no UTF-8, in folders that nobody may enter': `${begin}
os.mkdir(where.encode() + b"/\\xff")
d = os.open(where.encode() + b"/\\xff", os.O_DIRECTORY)
os.chmod(where.encode() + b"/\\xff", 0o300)
for i in range(most // 32):
    f = os.open(b"\\xfe%d" % i, os.O_RDWR | os.O_CREAT, 0o200, dir_fd=d); fill(f, 32); os.close(f)
    said(32)
${wait}`,
} as const;

export type Filler = keyof typeof fillers;

/** What a program is not given at all, whatever its disk: the call is refused. */
export const isRefused = (filler: Filler): boolean => /^(?:room taken|a folder that its owner)/.test(filler);

/** What no quota of blocks holds: the watch does. */
export const isOfInodes = (filler: Filler): boolean => filler === 'empty files';

/** Which limits the engine's disk itself holds, as a worker says it to `doctor`: what is tested differs by it. */
export async function quotasOf(runlet: Runlet): Promise<{ roots: boolean; volumes: boolean }> {
  const { data } = (await (await runlet.call('GET', '/v1/workers')).json()) as { data: Worker[] };
  const [quotas] = data.map(({ diskQuotas }) => diskQuotas);
  if (quotas === undefined) throw new Error('the worker does not say whether its engine has quotas');
  return quotas;
}

/** The number that a filler said last. */
export function saidMiB(output: string): number {
  return Number(output.trim().split('\n').at(-1) ?? 0);
}

/** Looks at what is free of this machine's disk, until asked for the most that was taken of it meanwhile. */
export async function watchHost(): Promise<() => Promise<{ duringMiB: number; afterMiB: number }>> {
  const used = async () => {
    const { blocks, bfree, bsize } = await statfs(tmpdir());
    return ((blocks - bfree) * bsize) / MiB;
  };
  const before = await used();
  let most = before;
  const timer = setInterval(async () => {
    most = Math.max(most, await used());
  }, 20);
  return async () => {
    clearInterval(timer);
    return { duringMiB: Math.round(most - before), afterMiB: Math.round((await used()) - before) };
  };
}
