import type { Tally } from './measure.ts';
import { processesInLanes, timedProcess } from './spawner.ts';

const argvOf = (words: string[]) => ['docker', 'run', '--rm', '--network', 'none', ...words];

/** What a user would type in our place; the words after `docker run`. */
export async function timedDocker(dockerHost: string, words: string[]): Promise<number> {
  return (await timedProcess(argvOf(words), { DOCKER_HOST: dockerHost })).ms;
}

/** The same in lanes that do not pause. */
export const dockerInLanes = (
  dockerHost: string,
  words: string[],
  lanes: number,
  calls: number,
): Promise<Tally> => processesInLanes(lanes, calls, argvOf(words), { DOCKER_HOST: dockerHost });
