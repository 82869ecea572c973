import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import type { Log } from '../../../../../shared/log.ts';
import { createMessageReader, messageOf } from './messages.ts';
import { type Step, wordsOf } from './steps.ts';

/** Why the launcher could not do something. */
export class LaunchFailed extends Error {
  /**
   * `step`: a file, mount or cgroup; `launch`: the runtime's program; `runtime`: it ended with an error; `lost`: the launcher itself ended.
   */
  readonly stage: 'step' | 'launch' | 'runtime' | 'lost';
  /** An errno of the first two, the exit code of `runtime`. */
  readonly number: number;
  constructor(stage: LaunchFailed['stage'], number: number, text: string) {
    super(text);
    this.name = 'LaunchFailed';
    this.stage = stage;
    this.number = number;
  }
}

/** A container to be started. */
export type Launch = {
  /** Unique among what the launcher has. */
  id: string;
  /** The socket of the worker's that the container's stdin and stdout are connected to, and what is said there first. */
  socket: string;
  hello: string;
  /** Where the runtime writes the pid of the container's first process, and what becomes of its stderr. */
  pidFile: string;
  complaints: string;
  before: Step[];
  /**
   * `waiting`: by the runtime that waits, where one does; `anew`: it is executed, from a sealed copy; `file`: from its file, since it executes
   * itself as another user, who may not have the copy (gVisor, whose containers do not see the machine's program anyway).
   */
  how: 'waiting' | 'anew' | 'file';
  /** Each `v1 FILE` (a `tasks`) or `v2 FOLDER`. */
  cgroups: string[];
  argv: string[];
  after: Step[];
  /** When it has ended and is removed, or this worker has ended. */
  removal: Step[];
};

/** `pid`: of the container's first process, as this machine numbers it. */
type Launched = { pid: number };

type Waiting = { started: PromiseWithResolvers<Launched>; done?: PromiseWithResolvers<void> };

export type Launcher = ReturnType<typeof createLauncher>;

/**
 * The worker's side of the launcher (infra/launcher): a small process beside the worker, in a mount namespace of its own, that starts the
 * runtime and knows its containers. It is started when it is first needed, and again when it has ended. (Node's own spawn takes 2 ms of
 * processor time and holds up the event loop.)
 *
 * @param root an empty folder
 * @param kept folders of this machine that the launcher, the runtime and containers' mounts need
 */
export function createLauncher(options: {
  program: string;
  /** Whether the runtime may be kept loaded (infra/launcher/README.md, "A runtime that waits"). */
  waiting: boolean;
  root: string;
  kept: string[];
  /** It has ended: what was mounted in it is gone; containers go on. */
  onLost(): void;
  log: Log;
}) {
  const { log } = options;
  const boxes = new Map<string, Waiting>();
  let running: Promise<ChildProcess> | undefined;
  let jobs = 0;
  let closed = false;

  function lose(child: ChildProcess, how: string): void {
    running = undefined;
    const gone = new LaunchFailed('lost', 0, `the launcher ended (${how})`);
    child.stdin?.destroy();
    for (const { started, done } of boxes.values()) {
      started.reject(gone);
      done?.reject(gone);
    }
    boxes.clear();
    if (closed) return;
    log.error({ how }, 'the launcher of sandboxes ended; it is started again when it is needed');
    options.onLost();
  }

  function onMessage([kind = '', id = '', ...rest]: string[]): void {
    const box = boxes.get(id);
    if (box === undefined) return;
    if (kind === 'started') box.started.resolve({ pid: Number(rest[0]) });
    else if (kind === 'done') {
      boxes.delete(id);
      box.done?.resolve();
    } else if (kind === 'failed') {
      const [stage = '', number = '', text = ''] = rest;
      const failure = new LaunchFailed(stage as LaunchFailed['stage'], Number(number), text.trim());
      if (box.done === undefined) box.started.reject(failure);
      else {
        boxes.delete(id);
        box.done.reject(failure);
      }
    }
  }

  // Built beside it; without it each container's runtime is executed anew.
  const preload = options.waiting ? join(dirname(options.program), 'waiting.so') : '/dev/null';

  async function start(): Promise<ChildProcess> {
    const child = spawn(options.program, [preload, options.root, ...options.kept], {
      stdio: 'pipe',
      env: {},
    });
    const ready = Promise.withResolvers<void>();
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = `${complaint}${text}`.slice(-2_000);
    });
    child.stdin.on('error', () => {});
    const read = createMessageReader((words) => (words[0] === 'ready' ? ready.resolve() : onMessage(words)));
    child.stdout.on('data', read);
    child.on('error', (error) => ready.reject(error));
    child.on('close', (code, signal) => {
      const how = `${signal ?? code}${complaint === '' ? '' : `: ${complaint.trim()}`}`;
      ready.reject(new LaunchFailed('lost', 0, `the launcher cannot be started (${how})`));
      lose(child, how);
    });
    await ready.promise;
    return child;
  }

  function send(words: (string | Buffer)[]): void {
    running ??= start();
    running.then(
      (child) => child.stdin?.write(messageOf(words)),
      () => {
        running = undefined;
      },
    );
  }

  /** Remembers it before it is sent; it fails with the launcher. */
  function expect(id: string, words: (string | Buffer)[]): Waiting {
    const waiting: Waiting = { started: Promise.withResolvers<Launched>() };
    waiting.started.promise.catch(() => {});
    boxes.set(id, waiting);
    send(words);
    running?.catch((error: Error) => {
      boxes.delete(id);
      waiting.started.reject(error);
      waiting.done?.reject(error);
    });
    return waiting;
  }

  return {
    /** Resolves when the container runs. Rejects with LaunchFailed; then `remove` it, too. */
    launch(one: Launch): Promise<Launched> {
      const words = [
        ...['run', one.id, one.how, one.socket, one.hello, one.pidFile, one.complaints],
        ...wordsOf(one.before),
        ...[...one.cgroups, '.'],
        ...[...one.argv, '.'],
        ...wordsOf(one.after),
        ...wordsOf(one.removal),
      ];
      return expect(one.id, words).started.promise;
    },

    kill(id: string): void {
      if (boxes.has(id)) send(['kill', id]);
    },

    /** Whether it knows a container, which it removes by itself then. */
    knows: (id: string) => boxes.has(id),

    /** Kills the container, if it still runs, and resolves when its removal's steps are done. Rejects with LaunchFailed. */
    async remove(id: string): Promise<void> {
      const box = boxes.get(id);
      if (box === undefined) return;
      if (box.done === undefined) {
        box.done = Promise.withResolvers<void>();
        send(['remove', id]);
      }
      await box.done.promise;
    },

    /** Steps by themselves. Rejects with LaunchFailed. */
    async carryOut(steps: Step[]): Promise<void> {
      jobs += 1;
      const id = `job ${jobs}`;
      const done = Promise.withResolvers<void>();
      done.promise.catch(() => {});
      const waiting = expect(id, ['do', id, ...wordsOf(steps)]);
      waiting.done = done;
      await done.promise;
    },

    /** Ends it, and with it all its containers. */
    async close(): Promise<void> {
      closed = true;
      const child = await running?.catch(() => undefined);
      if (child === undefined) return;
      const gone = child.exitCode === null && child.signalCode === null ? once(child, 'close') : undefined;
      child.stdin?.end();
      await gone;
    },
  };
}
