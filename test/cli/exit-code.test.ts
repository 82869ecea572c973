import { describe, expect, it } from 'vitest';
import { exitCodeOf, type RunEnd } from '../../services/cli/run/exit-code.ts';
import { activeStatuses, terminalStatuses } from '../../shared/run-states.ts';

const end = (status: RunEnd['status'], more: Partial<RunEnd> = {}): RunEnd => ({
  status,
  exitCode: null,
  signal: null,
  ...more,
});

describe('the exit code', () => {
  it.each([
    [end('succeeded', { exitCode: 0 }), 0],
    [end('failed', { exitCode: 3 }), 3],
    [end('failed', { exitCode: 255 }), 255],
    [end('failed', { signal: 'SIGSEGV' }), 139],
    [end('failed', { exitCode: 137, signal: 'SIGKILL' }), 137],
    [end('timed_out', { signal: 'SIGKILL' }), 124],
    [end('out_of_memory', { exitCode: 137, signal: 'SIGKILL' }), 137],
    [end('output_limit', { exitCode: 137 }), 1],
    [end('cancelled', { signal: 'SIGTERM' }), 130],
    [end('errored'), 125],
    [end('errored', { error: { code: 'image_not_found' } }), 125],
    [end('errored', { error: { code: 'command_not_found' } }), 127],
    [end('errored', { error: { code: 'command_not_executable' } }), 126],
    [end('expired'), 125],
  ])('of %o is %d', (given, code) => expect(exitCodeOf(given)).toBe(code));

  it('exists for every way to end, and for no other state', () => {
    for (const status of terminalStatuses) expect(exitCodeOf(end(status))).toBeGreaterThanOrEqual(0);
    for (const status of activeStatuses) expect(() => exitCodeOf(end(status))).toThrow(status);
  });

  it('is an error that says so for a way to end that a newer server knows', () => {
    expect(() => exitCodeOf(end('vanished' as RunEnd['status']))).toThrow('update it');
  });
});
