import { constants } from 'node:os';
import type { StepLimit, TerminalStatus } from '../../../../shared/run-states.ts';
import type { StepEnd } from '../init/frames.ts';

/** Why the worker ended a step; the first cause wins, and what the program did on its way out is not asked. */
export type KillCause = 'timeout' | 'output_limit' | 'cancelled' | 'lock_lost' | 'disk_limit';

export type StepExit = {
  /** As the init reports it: by itself, or by one of the step's own limits. */
  cause: StepEnd['cause'];
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
  /** Which of its limits ended it; null: none. */
  limit: StepLimit | null;
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
