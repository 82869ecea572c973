import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Calls the real docker client, as a user would. So tests do not look through our own engine code. */
export async function docker(dockerHost: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('docker', args, { env: { ...process.env, DOCKER_HOST: dockerHost } });
  return stdout.trim();
}
