import type { Problem } from '../../../shared/problems.ts';
import { StartFailed } from '../sandbox/init/session.ts';
import { startFailure } from '../sandbox/program/start-failure.ts';

/** What the init ends with when there is nothing to execute; a program may end so, too. */
export const mayBeNotExecuted = (exitCode: number) => exitCode === 126 || exitCode === 127;

/**
 * The init's own last word on a program that it could not execute, as the user's problem (infra/sandbox-init/attend.c). A program that
 * writes such a line and ends so fools nobody but its owner.
 *
 * @param line the last one of its log
 */
export function notExecuted(line: string): Problem | undefined {
  const [, name, number] = /^runlet-init: cannot execute (.*): error (\d+)\n?$/.exec(line) ?? [];
  if (name === undefined) return undefined;
  return startFailure(new StartFailed('exec', Number(number), name));
}
