import { constants } from 'node:os';
import type { ProblemCode } from '../../../shared/problems.ts';
import type { TerminalStatus } from '../../../shared/run-states.ts';

/** Why the worker killed a sandbox; the first cause wins, and what the program did on its way out is not asked. */
export type KillCause = 'timeout' | 'output_limit' | 'cancelled' | 'lock_lost' | 'disk_limit';

export type SandboxExit = {
  /** As the engine reports it: 128 + n where signal n ended the program. */
  exitCode: number;
  /** Whether the kernel killed any process in it for its memory limit. */
  oomKilled: boolean;
  /** `null`: it ended by itself. */
  killCause: KillCause | null;
  /** Whether the run had a CPU time limit. */
  cpuLimited: boolean;
};

export type ExitVerdict = {
  status: TerminalStatus;
  exitCode: number;
  /** As in `SIGKILL`; a shell that itself exits with 128 + n cannot be told apart, and reads the same. */
  signal: string | null;
  /** The run's `error.code`, where it has one. */
  errorCode: ProblemCode | null;
};

const signalNames = new Map(
  Object.entries(constants.signals)
    // Of two names for one number the first is the usual: SIGABRT before SIGIOT, SIGIO before SIGPOLL.
    .reverse()
    .map(([name, number]) => [number, name]),
);

/** The signal's name in an exit code of 129 to 159, else `null`. */
export function signalIn(exitCode: number): string | null {
  return exitCode > 128 && exitCode < 160 ? (signalNames.get(exitCode - 128) ?? null) : null;
}

const ofCause = {
  timeout: ['timed_out', null],
  output_limit: ['output_limit', null],
  cancelled: ['cancelled', null],
  lock_lost: ['errored', 'worker_lost'],
  disk_limit: ['failed', 'disk_limit'],
} as const satisfies Record<KillCause, readonly [TerminalStatus, ProblemCode | null]>;

/** What a sandbox's end means for its run. Pure. */
export function judgeExit(exit: SandboxExit): ExitVerdict {
  const { exitCode } = exit;
  const signal = signalIn(exitCode);
  const [status, errorCode] =
    exit.killCause === null ? [ownStatus(exit, signal), null] : ofCause[exit.killCause];
  return { status, exitCode, signal, errorCode };
}

function ownStatus(exit: SandboxExit, signal: string | null): TerminalStatus {
  if (exit.exitCode === 0) return 'succeeded';
  if (exit.oomKilled) return 'out_of_memory';
  // SIGXCPU at the soft limit; a program that ignores it gets SIGKILL at the hard one.
  if (exit.cpuLimited && (signal === 'SIGXCPU' || signal === 'SIGKILL')) return 'timed_out';
  return 'failed';
}
