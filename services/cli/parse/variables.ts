import { UsageError } from '../errors.ts';
import { readOf } from '../files/collect.ts';
import { collectEnvironment, parseEnvFile } from './env.ts';

/**
 * The variables from `--env-file` and `-e`, for a run, a service or a program in a service. If a variable is to be
 * passed on (`-e NAME`) but is not set here, it is left out with a note.
 */
export function readVariables(
  receiver: 'run' | 'service' | 'program',
  { env: entries = [], envFile = [] }: { env?: string[]; envFile?: string[] },
  note: (text: string) => void,
): Record<string, string> {
  const fromFiles = envFile.flatMap((path) => {
    try {
      return parseEnvFile(readOf(path).toString());
    } catch (error) {
      const place = error instanceof UsageError ? '' : `${path}: `;
      throw new UsageError(`--env-file ${place}${(error as Error).message}`);
    }
  });
  const { env, missing } = collected([...fromFiles, ...entries]);
  for (const name of missing) note(`-e ${name}: it is not set here, so the ${receiver} does not get it.`);
  return env;
}

function collected(entries: readonly string[]) {
  try {
    return collectEnvironment(entries, process.env);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
