import { describe, expect, it } from 'vitest';
import { judgeExit, signalName } from '../../../../services/worker/sandbox/program/exit.ts';

describe('an exit', () => {
  const judge = (exitCode: number | null, more: Partial<Parameters<typeof judgeExit>[0]> = {}) =>
    judgeExit({ cause: 'exited', exitCode, signal: null, oomKilled: false, killCause: null, ...more });

  it('of its own is succeeded, failed or out of memory', () => {
    expect(judge(0)).toEqual({ status: 'succeeded', exitCode: 0, signal: null, limit: null });
    expect(judge(3)).toEqual({ status: 'failed', exitCode: 3, signal: null, limit: null });
    expect(judge(137)).toMatchObject({ status: 'failed', exitCode: 137, signal: null });
    expect(judge(null, { signal: 11 })).toMatchObject({ status: 'failed', exitCode: 139, signal: 'SIGSEGV' });
    expect(judge(null, { signal: 9, oomKilled: true })).toMatchObject({
      status: 'out_of_memory',
      limit: 'memory',
    });
    expect(judge(1, { oomKilled: true })).toMatchObject({ status: 'out_of_memory', signal: null });
    // A child was killed, and the program coped.
    expect(judge(0, { oomKilled: true })).toMatchObject({ status: 'succeeded', limit: null });
  });

  it('by a limit of the step is that limit’s, whatever the exit code', () => {
    expect(judge(null, { cause: 'wall', signal: 9 })).toMatchObject({ status: 'timed_out', exitCode: 137 });
    expect(judge(null, { cause: 'cpu', signal: 9 })).toMatchObject({ status: 'timed_out' });
    expect(judge(0, { cause: 'output' })).toMatchObject({ status: 'output_limit', exitCode: 0 });
    // A signal that the program's own limit (`ulimit -t`) had sent is none of ours.
    expect(judge(null, { signal: 24 })).toMatchObject({ status: 'failed', limit: null });
    for (const cause of ['wall', 'cpu', 'output'] as const) expect(judge(1, { cause }).limit).toBe(cause);
  });

  it('by the worker’s hand has the worker’s cause, whatever the program did meanwhile', () => {
    for (const exitCode of [0, 1, null]) {
      expect(judge(exitCode, { killCause: 'timeout', oomKilled: true }).status).toBe('timed_out');
      expect(judge(exitCode, { killCause: 'cancelled' }).status).toBe('cancelled');
      expect(judge(exitCode, { killCause: 'output_limit' }).status).toBe('output_limit');
      expect(judge(exitCode, { killCause: 'disk_limit' }).status).toBe('failed');
      expect(judge(exitCode, { killCause: 'lock_lost' }).status).toBe('errored');
      const limits = (['timeout', 'output_limit', 'disk_limit', 'cancelled'] as const).map(
        (killCause) => judge(exitCode, { killCause, cause: 'wall' }).limit,
      );
      expect(limits).toEqual(['wall', 'output', 'disk', null]);
    }
  });

  it('names signals, the unusual ones too', () => {
    expect([1, 2, 6, 15, 31].map(signalName)).toEqual(['SIGHUP', 'SIGINT', 'SIGABRT', 'SIGTERM', 'SIGSYS']);
    expect(signalName(40)).toBe('SIG40');
  });
});
