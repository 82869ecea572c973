/**
 * One program for each quota that the kernel keeps by user: with `most` it takes all that it is given, says how much that
 * was, and keeps it; with a small number it takes so many, as any ordinary program would, and fails where it is not given them.
 */
const program = `
import array, ctypes, errno, fcntl, os, signal, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
librt = ctypes.CDLL("librt.so.1", use_errno=True)

def called(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result

def inotify_instances(most):
    for taken in range(most):
        yield called(libc.inotify_init1(0))

def inotify_watches(most):
    # One for each pair of an instance and a file.
    files = [os.path.join(folder, name) for folder, _, names in os.walk("/usr/lib") for name in names if os.path.isfile(os.path.join(folder, name))]
    files = [name.encode() for name in files[:2500]]
    for _ in range(1 + most // len(files)):
        instance = called(libc.inotify_init1(0))
        for name in files[:most]:
            yield called(libc.inotify_add_watch(instance, name, 2))

def descriptors_in_flight(most):
    one, other = socket.socketpair()
    keep.append((one, other))
    descriptors = [os.open("/dev/null", os.O_RDONLY) for _ in range(min(most, 200))]
    for _ in range(1 + most // 200):
        one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))], socket.MSG_DONTWAIT)
        yield from descriptors

def signals_pending(most):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
    for taken in range(most):
        yield called(libc.sigqueue(os.getpid(), int(signal.SIGRTMIN), None))

def timers(most):
    made = ctypes.c_void_p()
    for taken in range(most):
        yield called(librt.timer_create(1, None, ctypes.byref(made)))

def pipe_pages(most):
    for taken in range(most):
        # Past the quota no error comes, but a pipe of two pages, which cannot be made any larger.
        read, write = os.pipe()
        keep.append(read)
        fcntl.fcntl(write, 1031, 1 << 20)
        yield write

def message_queues(most):
    class Attributes(ctypes.Structure):
        _fields_ = [(name, ctypes.c_long) for name in ("flags", "maxmsg", "msgsize", "curmsgs", "a", "b", "c", "d")]
    for taken in range(most):
        wanted = Attributes(0, 10, 8192)
        yield called(librt.mq_open(b"/q%d" % taken, os.O_CREAT | os.O_RDWR, 0o600, ctypes.byref(wanted)))

def locked_shared_memory(most):
    for taken in range(most):
        segment = called(libc.shmget(0, 16384, 0o1600))
        libc.shmat.restype = ctypes.c_void_p
        libc.shmat(segment, None, 0)
        yield called(libc.shmctl(segment, 11, None))

keep = []
def take(kind, most):
    taken = 0
    try:
        for one in globals()[kind](most):
            keep.append(one)
            taken += 1
        why = "all"
    except OSError as error:
        why = errno.errorcode[error.errno]
    print(kind, taken, why, flush=True)
    return why
`;

/** The quotas, and what a run may want of each at the least. Watches first: they need instances. */
export const quotas = [
  { kind: 'inotify_watches', few: 100 },
  { kind: 'inotify_instances', few: 2 },
  { kind: 'descriptors_in_flight', few: 2 },
  { kind: 'signals_pending', few: 10 },
  { kind: 'timers', few: 10 },
  { kind: 'pipe_pages', few: 1 },
  { kind: 'message_queues', few: 1 },
  { kind: 'locked_shared_memory', few: 1 },
] as const;

const limits = { memoryBytes: 1024 ** 3, timeoutMs: 60_000, cpus: 0.5 };

/** Takes all that there is of these, and keeps it until it is cancelled: the last line that it writes is "held". */
export const hoarder = (kinds: readonly string[]) => ({
  language: 'python',
  code: `${program}${kinds.map((kind) => `take("${kind}", 300000)\n`).join('')}print("held", flush=True)\ntime.sleep(60)`,
  limits,
});

/** Takes a little of each; fails where it is not given that. */
export const modest = (wanted: readonly { kind: string; few: number }[]) => ({
  language: 'python',
  code: `${program}\nsys.exit(0 if all([${wanted.map(({ kind, few }) => `take("${kind}", ${few}) == "all"`).join(', ')}]) else 1)`,
  limits,
});
