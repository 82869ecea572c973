import { existsSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { engineTrouble } from './engine-client.ts';

/**
 * An Engine that is already there: the one that `DOCKER_HOST` names, else one that answers at a usual socket. Such an
 * Engine is used as it is, and never reconfigured. Undefined if there is none.
 */
export async function findEngine(env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const wanted = env.DOCKER_HOST;
  if (wanted !== undefined && wanted !== '') {
    const trouble = await engineTrouble(wanted, 5_000);
    if (trouble === undefined) return wanted;
    throw new Error(
      `DOCKER_HOST is ${wanted}, and no Engine answers there (${trouble.message}). ` +
        'Start that Engine, or unset DOCKER_HOST to let Runlet find or start one.',
    );
  }
  for (const socket of usualSockets(env)) {
    if (!existsSync(socket)) continue;
    const host = `unix://${socket}`;
    const trouble = await engineTrouble(host);
    if (trouble === undefined) return host;
    if (isPermission(trouble)) throw notAllowed(socket);
  }
  return undefined;
}

/** Where Docker Engine and Podman listen: system-wide, then rootless. */
function usualSockets(env: NodeJS.ProcessEnv): string[] {
  const uid = userInfo().uid;
  const runtime = env.XDG_RUNTIME_DIR ?? `/run/user/${uid}`;
  return [
    '/var/run/docker.sock',
    join(runtime, 'docker.sock'),
    join(homedir(), '.docker/run/docker.sock'),
    join(runtime, 'podman/podman.sock'),
    '/run/podman/podman.sock',
  ];
}

function isPermission(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'EACCES' || code === 'EPERM';
}

function notAllowed(socket: string): Error {
  const user = userInfo().username;
  return new Error(
    `A Docker Engine is there, and user ${user} may not use it (${socket}). ` +
      `Run 'sudo usermod -aG docker ${user}', log in again and try again. ` +
      'Know that members of that group are as good as root.',
  );
}
