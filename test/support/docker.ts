import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Calls the real docker client, as a user would. So tests do not look through our own engine code. */
export async function docker(dockerHost: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('docker', args, { env: { ...process.env, DOCKER_HOST: dockerHost } });
  return stdout.trim();
}

/** The running containers that were made ahead and wait for a run, the newest first. Only those that match the filters. */
export async function warmContainers(dockerHost: string, ...filters: string[]): Promise<string[]> {
  const all = ['label=dev.runlet.warm', ...filters].flatMap((filter) => ['--filter', filter]);
  const ids = await docker(dockerHost, 'ps', '-q', ...all);
  return ids.split('\n').filter((id) => id !== '');
}

/** Names of the containers of these runs, running or not. */
export async function containersOf(dockerHost: string, runIds: string[]): Promise<string[]> {
  const names = (await docker(dockerHost, 'ps', '-a', '--format', '{{.Names}}')).split('\n');
  return names.filter((name) => runIds.some((id) => name.includes(id)));
}

/** Resolves when nothing is left of these runs. The test's own time limit ends the wait. */
export async function gone(dockerHost: string, runIds: string[]): Promise<void> {
  while ((await containersOf(dockerHost, runIds)).length > 0) {
    // Each look starts a client. More looks would take CPU time from the work that we wait for.
    await sleep(200);
  }
}
