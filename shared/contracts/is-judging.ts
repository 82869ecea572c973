import type { RunRequest } from './run-fields.ts';

/**
 * Whether a request uses a field that is for judges. They read what a program wrote as a person at a terminal would see it, so
 * the answers show `steps[].output` without being asked.
 */
export const isJudging = ({
  mergeStderr,
  compileLimits,
  compilerOptions = [],
  stopOnFailure,
  inputs,
}: Pick<
  RunRequest,
  'mergeStderr' | 'compileLimits' | 'compilerOptions' | 'stopOnFailure' | 'inputs'
>): boolean =>
  mergeStderr ||
  compileLimits !== undefined ||
  compilerOptions.length > 0 ||
  stopOnFailure ||
  inputs.some(({ expectedStdout }) => expectedStdout !== undefined);
