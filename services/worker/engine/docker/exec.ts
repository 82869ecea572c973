import { Problem } from '../../../../shared/problems.ts';
import type { ContainerId, ExecAttachment, ExecId, ExecSpec, ExecState } from '../containers.ts';
import { attachmentOver } from './attach.ts';
import type { DockerClient } from './client.ts';
import { containerLost } from './containers.ts';
import { EngineRefusal, isRefusal, unexpected } from './errors.ts';
import { startProblem } from './start.ts';

/** Docker makes an exec first, then starts it. One that is never started is removed with its container. */
async function make(
  client: DockerClient,
  id: ContainerId,
  spec: ExecSpec,
  attached: boolean,
  signal?: AbortSignal,
): Promise<string> {
  const made = await client.call<{ Id: string }>({
    method: 'POST',
    path: `/containers/${encodeURIComponent(id)}/exec`,
    body: {
      Cmd: spec.argv,
      Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
      AttachStdin: attached,
      AttachStdout: attached,
      AttachStderr: attached,
      Tty: false,
      ...(spec.user !== '' && { User: spec.user }),
      ...(spec.workdir !== '' && { WorkingDir: spec.workdir }),
    },
    signal,
  });
  return made.Id;
}

export async function execInContainer(
  client: DockerClient,
  id: ContainerId,
  spec: ExecSpec,
  signal?: AbortSignal,
): Promise<ExecAttachment> {
  try {
    const exec = await make(client, id, spec, true, signal);
    const connection = await client.hijack({
      method: 'POST',
      path: `/exec/${encodeURIComponent(exec)}/start`,
      body: { Detach: false, Tty: false },
      signal,
    });
    return attachmentOver(connection, connection, client.shown);
  } catch (error) {
    throw lost(error) ?? unexpected(error, 'run a program in the container');
  }
}

const startDeadlineMs = 60_000;

export async function execDetached(
  client: DockerClient,
  id: ContainerId,
  spec: ExecSpec,
  signal?: AbortSignal,
): Promise<ExecId> {
  let exec = '';
  try {
    exec = await make(client, id, spec, false, signal);
    await client.call({
      method: 'POST',
      path: `/exec/${encodeURIComponent(exec)}/start`,
      body: { Detach: true, Tty: false },
      signal,
      deadlineMs: startDeadlineMs,
    });
    return exec;
  } catch (error) {
    const gone = lost(error);
    if (gone !== undefined) throw gone;
    if (exec === '' || !(error instanceof EngineRefusal))
      throw unexpected(error, 'run a program in the container');
    // The text is the OCI runtime's, as for a container's own program.
    throw startProblem(error.message, error);
  }
}

export async function inspectExec(
  client: DockerClient,
  id: ExecId,
  signal?: AbortSignal,
): Promise<ExecState | null> {
  try {
    const state = await client.call<{ Running: boolean; ExitCode: number | null; Pid: number }>({
      method: 'GET',
      path: `/exec/${encodeURIComponent(id)}/json`,
      signal,
    });
    return { running: state.Running, exitCode: state.Running ? null : state.ExitCode, pid: state.Pid };
  } catch (error) {
    if (isRefusal(error, 404)) return null;
    throw unexpected(error, 'look at a program in the container');
  }
}

/** The container is gone, or does not run. */
function lost(error: unknown): Problem | undefined {
  if (isRefusal(error, 404) && !/executable|no such file/i.test((error as Error).message))
    return containerLost();
  // Stopped, paused, or about to be started again.
  if (isRefusal(error, 409))
    return new Problem('container_lost', 'The container does not run, so nothing can be run in it.', {
      cause: error,
    });
  return undefined;
}
