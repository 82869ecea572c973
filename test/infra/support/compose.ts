import { ensureTools } from '../../../infra/parts/apt.ts';
import { type RunResult, run } from '../../../infra/parts/run.ts';
import { silent } from '../../../infra/parts/say.ts';
import { root } from './npm-start.ts';

/** `docker compose`, or Debian's docker-compose 1.29 where the plugin is not installed. */
export async function composeCommand(): Promise<string[]> {
  const plugin = await run('docker', ['compose', 'version'], { allowFailure: true });
  if (plugin.code === 0) return ['docker', 'compose'];
  const [command] = await ensureTools([{ names: ['docker-compose'], packages: ['docker-compose'] }], silent);
  return [command ?? 'docker-compose'];
}

/** Compose on this repository's file, as a project of its own. */
export function composeProject(
  command: string[],
  project: string,
  files: string[],
  env: Record<string, string>,
) {
  const [program = 'docker', ...first] = command;
  const fileArgs = files.flatMap((file) => ['-f', file]);
  return (args: string[], allowFailure = false): Promise<RunResult> =>
    run(program, [...first, '-p', project, ...fileArgs, ...args], {
      cwd: root,
      env,
      allowFailure,
      timeoutMs: 600_000,
    });
}
