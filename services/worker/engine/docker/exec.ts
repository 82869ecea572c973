import { Problem } from '../../../../shared/problems.ts';
import type { ContainerId, ExecAttachment, ExecSpec } from '../engine.ts';
import { attachmentOver } from './attach.ts';
import type { DockerClient } from './client.ts';
import { containerLost } from './containers.ts';
import { isRefusal, unexpected } from './errors.ts';

/** Docker first makes an exec, then starts it; one that is never started goes with its container. */
export async function execInContainer(
  client: DockerClient,
  id: ContainerId,
  spec: ExecSpec,
  signal?: AbortSignal,
): Promise<ExecAttachment> {
  try {
    const made = await client.call<{ Id: string }>({
      method: 'POST',
      path: `/containers/${encodeURIComponent(id)}/exec`,
      body: {
        Cmd: spec.argv,
        Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
        AttachStdin: true,
        AttachStdout: true,
        AttachStderr: true,
        Tty: false,
        ...(spec.user !== '' && { User: spec.user }),
        ...(spec.workdir !== '' && { WorkingDir: spec.workdir }),
      },
      signal,
    });
    const connection = await client.hijack({
      method: 'POST',
      path: `/exec/${encodeURIComponent(made.Id)}/start`,
      body: { Detach: false, Tty: false },
      signal,
    });
    return attachmentOver(connection, connection, client.shown);
  } catch (error) {
    if (isRefusal(error, 404)) throw containerLost();
    // Stopped, paused, or about to be started again.
    if (isRefusal(error, 409))
      throw new Problem('container_lost', 'The container does not run, so nothing can be run in it.', {
        cause: error,
      });
    throw unexpected(error, 'run a program in the container');
  }
}
