import { spawn } from 'node:child_process';
import type { ChildRegister } from './child-register.ts';
import { LogFile, logTail } from './log-file.ts';
import { endProcess, identify, type ProcessId } from './pids.ts';
import { findTool, searchPath } from './tools.ts';

export interface ChildOptions {
  name: string;
  command: string;
  args: string[];
  logFile: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Keeps its pid, so that the next start can end what an unclean stop left behind. */
  register?: ChildRegister;
  /** Called once if the child ends by itself, without `stop`. */
  onCrash?: (end: ChildEnd) => void;
}

export interface ChildEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Child extends ProcessId {
  name: string;
  logFile: string;
  ended: Promise<ChildEnd>;
  isRunning(): boolean;
  /** Sends SIGTERM, and SIGKILL after `graceMs`. Returns when the child is gone. It may be called again. */
  stop(graceMs?: number): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** The end of its log, for an error message. */
  tail(): string;
}

/**
 * Starts a program that lives no longer than this process.
 *
 * It runs in a session of its own. So a Ctrl-C at the terminal reaches only Runlet's main process, which then stops its
 * children in order. If that process is killed with SIGKILL, the kernel sends the child SIGTERM (prctl(2),
 * PR_SET_PDEATHSIG, set by util-linux's setpriv). On systems without setpriv, the register is used instead.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const setpriv = findTool('setpriv');
  const [command, args] =
    setpriv === undefined
      ? [options.command, options.args]
      : [setpriv, ['--pdeathsig', 'TERM', '--', options.command, ...options.args]];
  const log = new LogFile(options.logFile);
  const spawned = spawn(command, args, {
    cwd: options.cwd,
    env: { ...(options.env ?? process.env), PATH: searchPath(options.env ?? process.env) },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  spawned.stdout.on('data', (chunk: Buffer) => log.write(chunk));
  spawned.stderr.on('data', (chunk: Buffer) => log.write(chunk));
  await new Promise<void>((resolve, reject) => {
    spawned.once('spawn', resolve);
    spawned.once('error', (error) =>
      reject(new Error(`${options.name} could not be started: ${error.message}`)),
    );
  });

  const pid = spawned.pid ?? 0;
  // Its identity is read at once. A process that has already ended has none left, and needs none.
  const id: ProcessId = identify(pid) ?? { pid, startTicks: 'ended' };
  options.register?.add(options.name, id);
  let asked = false;
  let running = true;
  const ended = new Promise<ChildEnd>((resolve) => {
    spawned.once('exit', (code, signal) => {
      running = false;
      options.register?.remove(id);
      resolve({ code, signal });
      if (!asked) options.onCrash?.({ code, signal });
    });
    // When the process is gone, there may still be output in the pipe.
    spawned.once('close', () => log.close());
  });

  return {
    ...id,
    name: options.name,
    logFile: options.logFile,
    ended,
    isRunning: () => running,
    tail: () => logTail(options.logFile),
    kill(signal) {
      asked = true;
      if (running) spawned.kill(signal);
    },
    async stop(graceMs = 10_000) {
      asked = true;
      if (!running) return;
      await endProcess(id, graceMs);
      await ended;
    },
  };
}
