import { Problem } from '../../../../shared/problems.ts';
import { causeIn } from '../causes.ts';
import type { ContainerId } from '../containers.ts';
import type { DockerClient } from './client.ts';
import { containerLost } from './containers.ts';
import { EngineRefusal, isRefusal, oneLine } from './errors.ts';

const startDeadlineMs = 60_000;

export async function startContainer(
  client: DockerClient,
  id: ContainerId,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await client.call({
      method: 'POST',
      path: `/containers/${encodeURIComponent(id)}/start`,
      also: [304],
      signal,
      deadlineMs: startDeadlineMs,
    });
  } catch (error) {
    if (isRefusal(error, 404) && /no such container/i.test(error.message)) throw containerLost();
    throw error instanceof EngineRefusal ? startProblem(error.message, error) : error;
  }
}

/**
 * The OCI runtime's text (runc, crun and runsc word it differently) as a Problem. The engine passes it on with
 * status 400, 404 or 500, so only the text tells.
 */
export function startProblem(text: string, cause?: unknown): Problem {
  const said = oneLine(text);
  const workdir = /chdir to cwd \("([^"]*)"\)/.exec(said)?.[1];
  if (workdir !== undefined)
    return new Problem(
      'start_failed',
      `The program cannot start in ${workdir}: it is missing or closed to the run’s user. Give another "workdir", as in "/work".`,
      { cause },
    );
  const command = commandIn(said);
  const named = command === undefined ? 'The command' : `The command "${command}"`;
  if (notFound.test(said))
    return new Problem(
      'command_not_found',
      `${named} does not exist in the image. Check its spelling and path; an image without a shell has no sh.`,
      { cause },
    );
  if (notExecutable.test(said))
    return new Problem(
      'command_not_executable',
      `${named} exists in the image but cannot be executed by the run’s user. Check its mode, or start it by its interpreter.`,
      { cause },
    );
  if (portTaken.test(said)) {
    const [address = 'A port'] = /\d+(?:\.\d+){3}:\d+/.exec(said) ?? [];
    return new Problem(
      'conflict',
      `${address} is taken on the engine’s machine already. Publish another port, or end what listens there.`,
      { cause },
    );
  }
  return new Problem('start_failed', `The container could not be started: ${causeIn(said)}.`, { cause });
}

/** runc: `exec: "x": …` · crun: ``executable file `x` …`` · runsc: `finding executable "x"`. */
function commandIn(said: string): string | undefined {
  return /exec: "([^"]*)"|executable(?: file)? [`"']([^`"']*)[`"']/
    .exec(said)
    ?.slice(1)
    .find((name) => name);
}

const notFound =
  /executable file .*not found|(?:exec: "[^"]*"|finding executable).*no such file or directory|exec: "[^"]*": not a directory/i;
const notExecutable =
  /exec: "[^"]*".*(?:permission denied|is a directory)|(?:open|exec)\w*.* executable.*permission denied/i;
/** `… Bind for 0.0.0.0:80 failed: port is already allocated` · `… listen tcp4 127.0.0.1:80: bind: address already in use` */
const portTaken = /external connectivity.*(?:port is already allocated|address already in use)/i;
