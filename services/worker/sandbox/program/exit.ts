import { constants } from 'node:os';
import type { StepLimit, TerminalStatus } from '../../../../shared/run-states.ts';
import type { StepEnd } from '../init/frames.ts';

/** Why the worker ended a step. The first cause counts, whatever the program did while it was ending. */
export type KillCause = 'timeout' | 'output_limit' | 'cancelled' | 'lock_lost' | 'disk_limit';

export type StepExit = {
  /** The cause that the init reports: the step ended by itself, or by one of its own limits. */
  cause: StepEnd['cause'];
  exitCode: number | null;
  /** The signal's number. */
  signal: number | null;
  /** Whether the kernel killed any process of it for the memory limit. */
  oomKilled: boolean;
  /** `null`: the worker did not end it. */
  killCause: KillCause | null;
};

export type ExitVerdict = {
  status: TerminalStatus;
  /** 128 + n if signal n ended the program, as in a shell. */
  exitCode: number;
  /** The name, such as `SIGKILL`. */
  signal: string | null;
  /** The limit that ended it. null: none. */
  limit: StepLimit | null;
};

const signalNames = new Map(
  Object.entries(constants.signals)
    // If a number has two names, the first is the usual one: SIGABRT before SIGIOT, SIGIO before SIGPOLL.
    .reverse()
    .map(([name, number]) => [number, name]),
);

export function signalName(number: number): string {
  return signalNames.get(number) ?? `SIG${number}`;
}

const ofKill = {
  timeout: { status: 'timed_out', limit: 'wall' },
  output_limit: { status: 'output_limit', limit: 'output' },
  cancelled: { status: 'cancelled', limit: null },
  lock_lost: { status: 'errored', limit: null },
  disk_limit: { status: 'failed', limit: 'disk' },
} as const satisfies Record<KillCause, Ended>;

type Ended = { status: TerminalStatus; limit: StepLimit | null };

/** What a step's end means. Pure. */
export function judgeExit(exit: StepExit): ExitVerdict {
  const exitCode = exit.exitCode ?? 128 + (exit.signal ?? constants.signals.SIGKILL);
  const signal = exit.exitCode === null ? signalName(exit.signal ?? constants.signals.SIGKILL) : null;
  return { ...(exit.killCause === null ? ownEnd(exit) : ofKill[exit.killCause]), exitCode, signal };
}

function ownEnd(exit: StepExit): Ended {
  switch (exit.cause) {
    case 'wall':
    case 'cpu':
      return { status: 'timed_out', limit: exit.cause };
    case 'output':
      return { status: 'output_limit', limit: 'output' };
    case 'uncounted':
      return { status: 'out_of_memory', limit: 'memory' };
    case 'killed':
    case 'exited':
      if (exit.exitCode === 0) return { status: 'succeeded', limit: null };
      return exit.oomKilled
        ? { status: 'out_of_memory', limit: 'memory' }
        : { status: 'failed', limit: null };
    default:
      return exit.cause satisfies never;
  }
}
