import type { Problem } from '../../../shared/problems.ts';
import { StartFailed } from '../sandbox/init/session.ts';
import { startFailure } from '../sandbox/program/start-failure.ts';

/** The exit codes of an init that could not execute the program; a program may end with these, too. */
export const mayBeNotExecuted = (exitCode: number) => exitCode === 126 || exitCode === 127;

/**
 * The user's problem where the init could not execute the program: its last line says so (infra/sandbox-init/attend.c). A program can write
 * the same line and end with the same code: that misleads only its owner.
 *
 * @param line the last line of the container's log
 */
export function notExecuted(line: string): Problem | undefined {
  const [, name, number] = /^runlet-init: cannot execute (.*): error (\d+)\n?$/.exec(line) ?? [];
  if (name === undefined) return undefined;
  return startFailure(new StartFailed('exec', Number(number), name));
}
