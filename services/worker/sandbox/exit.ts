import { constants } from 'node:os';
import type { TerminalStatus } from '../../../shared/run-states.ts';

/** Why the worker ended a step; the first cause wins, and what the program did on its way out is not asked. */
export type KillCause = 'timeout' | 'output_limit' | 'cancelled' | 'lock_lost' | 'disk_limit';

export type StepExit = {
  /** As the init reports it: by itself, or by one of the step's own limits. */
  cause: 'exited' | 'wall' | 'cpu' | 'output' | 'killed';
  exitCode: number | null;
  /** Its number. */
  signal: number | null;
  /** Whether the kernel killed any process of it for the memory limit. */
  oomKilled: boolean;
  /** `null`: the worker did not end it. */
  killCause: KillCause | null;
};

export type ExitVerdict = {
  status: TerminalStatus;
  /** 128 + n where signal n ended the program, as a shell has it. */
  exitCode: number;
  /** As in `SIGKILL`. */
  signal: string | null;
};

const signalNames = new Map(
  Object.entries(constants.signals)
    // Of two names for one number the first is the usual: SIGABRT before SIGIOT, SIGIO before SIGPOLL.
    .reverse()
    .map(([name, number]) => [number, name]),
);

export function signalName(number: number): string {
  return signalNames.get(number) ?? `SIG${number}`;
}

const ofKill = {
  timeout: 'timed_out',
  output_limit: 'output_limit',
  cancelled: 'cancelled',
  lock_lost: 'errored',
  disk_limit: 'failed',
} as const satisfies Record<KillCause, TerminalStatus>;

/** What a step's end means. Pure. */
export function judgeExit(exit: StepExit): ExitVerdict {
  const exitCode = exit.exitCode ?? 128 + (exit.signal ?? constants.signals.SIGKILL);
  const signal = exit.exitCode === null ? signalName(exit.signal ?? constants.signals.SIGKILL) : null;
  return { status: exit.killCause === null ? ownStatus(exit) : ofKill[exit.killCause], exitCode, signal };
}

function ownStatus(exit: StepExit): TerminalStatus {
  switch (exit.cause) {
    case 'wall':
    case 'cpu':
      return 'timed_out';
    case 'output':
      return 'output_limit';
    case 'killed':
    case 'exited':
      if (exit.exitCode === 0) return 'succeeded';
      return exit.oomKilled ? 'out_of_memory' : 'failed';
    default:
      return exit.cause satisfies never;
  }
}
