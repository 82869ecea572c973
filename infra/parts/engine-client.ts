import Docker from 'dockerode';

/** A client for the Engine at this `DOCKER_HOST` value. TLS and SSH settings come from the environment, as for the docker command. */
export function engineAt(dockerHost: string): Docker {
  if (dockerHost.startsWith('unix://')) return new Docker({ socketPath: dockerHost.slice('unix://'.length) });
  // The client library reads tcp:// and ssh:// with all their settings from the environment, and only from there.
  const before = process.env.DOCKER_HOST;
  process.env.DOCKER_HOST = dockerHost;
  try {
    return new Docker();
  } finally {
    if (before === undefined) delete process.env.DOCKER_HOST;
    else process.env.DOCKER_HOST = before;
  }
}

/** The reason why an Engine does not answer. Undefined if it answers. */
export async function engineTrouble(dockerHost: string, timeoutMs = 3_000): Promise<Error | undefined> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([
      engineAt(dockerHost).ping(),
      new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      }),
    ]);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    clearTimeout(timer);
  }
}
