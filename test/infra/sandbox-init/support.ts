import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { Attachment } from '../../../services/worker/engine/streams.ts';
import {
  createInitSession,
  type InitSession,
  type StepEnd,
  type StepSpec,
} from '../../../services/worker/sandbox/init/session.ts';

const sources = fileURLToPath(new URL('../../../infra/sandbox-init/', import.meta.url));

/** Of nobody else on this machine, so that limits on a user's processes concern no other. */
export const uid = 2_147_345_678;

/** Namespaces are made by root; elsewhere these tests cannot be. */
export const canRun = process.platform === 'linux' && process.getuid?.() === 0;

export type Init = {
  session: InitSession;
  attachment: Attachment & { stdin: Writable };
  /** A tmpfs of this init alone, gone with it. */
  workdir: string;
  /** The init as this machine's processes see it. */
  pid: number;
  exited: Promise<number | null>;
  /** Its number for its programs. */
  innerPid: number;
  /** Processes below it that live still, by this machine's numbers. */
  processes(): number[];
  /** Beside a service: its processes that live still. */
  service(): number[];
  stop(): Promise<void>;
};

type Pipes = ChildProcessByStdio<Writable, Readable, Readable>;

export type Launcher = {
  workdir: string;
  launch(): { child: Pipes; exited: Promise<number | null> };
  remove(): void;
};

/** PID 1 of its container, or beside the one that is: a service with a child of its own. */
export const places = [
  { place: 'PID 1', beside: false },
  { place: 'beside a service', beside: true },
];

const besideService = `'sleep 1000000 >/dev/null 2>&1 & "$0" exec "$@"; exit $?'`;

/**
 * Launches inits, each as PID 1 of process and mount namespaces of its own, as a user without any capability: what a
 * container is to it, without an engine. `program` takes the place of the built one. Its work folder is a tmpfs of its own.
 * With `root` it is root, with what it needs to give its programs that user. With `beside` PID 1 is somebody else.
 */
export function launcher(
  options: { program?: string; sizeBytes?: number; root?: boolean; beside?: boolean } = {},
): Launcher {
  const folder = mkdtempSync(join(tmpdir(), 'sandbox-init-'));
  // Neither the checkout nor a temporary folder need be open to another user.
  chmodSync(folder, 0o755);
  const program = join(folder, 'init');
  copyFileSync(options.program ?? builtInit(), program);
  chmodSync(program, 0o755);
  const workdir = join(folder, 'work');
  mkdirSync(workdir);
  const begun = `${options.beside ? `sh -c ${besideService} ` : ''}"$0"`;
  const inside =
    'mount -t tmpfs -o "size=$3,uid=$2,gid=$2,mode=700" tmpfs "$1" && cd "$1" && ' +
    (options.root === true
      ? `exec setpriv --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all,+kill,+setgid,+setpcap,+setuid ${begun} "$2:$2"`
      : `exec setpriv --reuid="$2" --regid="$2" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all ${begun}`);
  const sizeBytes = options.sizeBytes ?? 64 * 1024 * 1024;
  return {
    workdir,
    launch() {
      const child: Pipes = spawn(
        'unshare',
        [
          ...['--pid', '--fork', '--mount', '--mount-proc', '--net', '--kill-child'],
          ...['sh', '-c', inside, program, workdir, String(uid), String(sizeBytes)],
        ],
        // It cannot be traced, so leaks cannot be looked for; and it keeps what it has until it ends.
        { stdio: 'pipe', env: { PATH: process.env.PATH, ASAN_OPTIONS: 'detect_leaks=0' } },
      );
      return { child, exited: once(child, 'exit').then(([code]) => code as number | null) };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** An init with the worker's side of it. */
export async function startInit(options?: Parameters<typeof launcher>[0]): Promise<Init> {
  const { workdir, launch, remove } = launcher(options);
  const { child, exited } = launch();
  const attachment = attach(child);
  const session = createInitSession(attachment);
  await session.ready;
  const [first] = childrenOf(child.pid ?? 0);
  if (first === undefined) throw new Error('the init has ended already');
  const others = options?.beside ? [first, ...childrenOf(first).filter((one) => !isInit(one))] : [];
  const pid = options?.beside ? childrenOf(first).find(isInit) : first;
  if (pid === undefined) throw new Error('the init has ended already');
  // By namespace: a daemon is not below it in the tree until its parents end.
  const namespace = pidNamespaceOf(pid);
  const here = () => everyPid().filter((one) => pidNamespaceOf(one) === namespace);
  return {
    session,
    attachment,
    workdir,
    pid,
    exited,
    innerPid: Number(/^NSpid:.*\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]),
    processes: () => here().filter((one) => one !== pid && !others.includes(one)),
    service: () => here().filter((one) => others.includes(one)),
    async stop() {
      session.close();
      child.kill('SIGKILL');
      await exited;
      remove();
    },
  };
}

/** One for this test alone, in its work folder. */
export async function ownInit(options?: Parameters<typeof startInit>[0]): Promise<Init> {
  const own = await startInit(options);
  onTestFinished(own.stop);
  await own.session.prepare(own.workdir, []);
  return own;
}

/** A child's pipes as what an engine gives. */
export function attach(child: Pipes): Attachment & { stdin: Writable } {
  const streams = ['stdout', 'stderr'] as const;
  const output = new Readable({
    objectMode: true,
    highWaterMark: 1,
    read() {
      for (const stream of streams) child[stream].resume();
    },
  });
  let open = streams.length;
  for (const stream of streams) {
    child[stream].on('data', (data: Buffer) => {
      if (!output.destroyed && !output.push({ stream, data })) child[stream].pause();
    });
    child[stream].on('end', () => {
      open -= 1;
      if (open === 0 && !output.destroyed) output.push(null);
    });
    child[stream].pause();
  }
  // What is written to a child that has ended is nobody's loss.
  child.stdin.on('error', () => {});
  return {
    output,
    stdin: child.stdin,
    close() {
      output.destroy();
      child.stdin.destroy();
    },
  };
}

let built: string | undefined;
function builtInit(): string {
  if (built === undefined) {
    execFileSync('sh', [join(sources, 'build.sh')], { stdio: ['ignore', 'ignore', 'inherit'] });
    built = join(sources, 'build', 'init');
  }
  return built;
}

/** The init, built to notice its own mistakes. Not static: the sanitizers do without. Throws where there is no compiler. */
export function buildSanitized(folder: string): string {
  const program = join(folder, 'init-sanitized');
  const files = readdirSync(sources).filter((name) => name.endsWith('.c'));
  execFileSync('cc', [
    ...['-std=c11', '-g', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
    ...['-o', program, ...files.map((name) => join(sources, name))],
  ]);
  chmodSync(program, 0o755);
  return program;
}

export type Ran = { end: StepEnd; stdout: Buffer; stderr: Buffer; text: string };

const calm: Omit<StepSpec, 'argv'> = {
  env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
  stdin: false,
  wallMs: 60_000,
  cpuMs: null,
  outputBytes: 64 * 1024 * 1024,
};

export const step = (argv: string[], changes: Partial<StepSpec> = {}): StepSpec => ({
  ...calm,
  argv,
  ...changes,
});

/** A step begun, its output kept. */
export function begin(session: InitSession, argv: string[], changes: Partial<StepSpec> = {}) {
  const kept = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const listeners = new Set<() => void>();
  const running = session.exec(step(argv, changes), ({ stream, data }) => {
    kept[stream].push(Buffer.from(data));
    for (const listener of listeners) listener();
  });
  const stdout = () => Buffer.concat(kept.stdout);
  const result = running.ended.then((end): Ran => {
    const all = stdout();
    return { end, stdout: all, stderr: Buffer.concat(kept.stderr), text: all.toString() };
  });
  result.catch(() => {});
  return {
    ...running,
    result,
    /** Resolves when stdout holds this. */
    async says(text: string): Promise<void> {
      const news = Promise.withResolvers<void>();
      const look = () => {
        if (stdout().includes(text)) news.resolve();
      };
      listeners.add(look);
      look();
      await Promise.race([
        news.promise,
        result.then(({ text: all }) => {
          if (!all.includes(text)) throw new Error(`it ended without saying ${text}: ${all}`);
        }),
      ]);
    },
  };
}

/** A step from its beginning to its end. */
export function run(session: InitSession, argv: string[], changes: Partial<StepSpec> = {}): Promise<Ran> {
  return begin(session, argv, changes).result;
}

export const sh = (session: InitSession, script: string, changes: Partial<StepSpec> = {}): Promise<Ran> =>
  run(session, ['sh', '-c', script], changes);

/** How a program ends that nothing kept from it. */
export const wellEnded = { cause: 'exited', exitCode: 0, signal: null };

/** For what happens soon, but not at once. */
export async function eventually(holds: () => boolean): Promise<boolean> {
  for (let i = 0; i < 500; i++) {
    if (holds()) return true;
    await sleep(10);
  }
  return false;
}

/** CPU time that a process has used, in clock ticks (1/100 s). */
export function cpuTicks(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** A file of a process in /proc, or nothing when the process is gone: one that was listed may be, by the time it is read. */
export function aboutProcess(pid: number, file: 'comm' | 'stat'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

const isInit = (pid: number) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'init\n';

function everyPid(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((one) => one > 0);
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').map(Number).filter(Boolean);
}

function pidNamespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}
