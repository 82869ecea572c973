import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../../../shared/problems.ts';
import { causeIn } from '../causes.ts';
import type { ContainerId, ContainerSpec } from '../containers.ts';
import type { Labels } from '../label-set.ts';
import type { DockerClient } from './client.ts';
import { containerBody } from './container-body.ts';
import { removeContainer } from './containers.ts';
import { EngineRefusal, isRefusal, oneLine } from './errors.ts';
import { inspectContainer } from './inspect.ts';

const createDeadlineMs = 60_000;

/** Two containers belong to the same attempt of a run when all of our labels are equal. */
function isOurs(labels: Labels, found: Labels): boolean {
  const names = Object.keys(labels);
  return names.length > 0 && names.every((name) => found[name] === labels[name]);
}

export async function createContainer(
  client: DockerClient,
  spec: ContainerSpec,
  sysctls: Record<string, string>,
  signal?: AbortSignal,
): Promise<ContainerId> {
  const body = containerBody(spec, sysctls);
  try {
    return await post(client, spec.name, body, signal);
  } catch (error) {
    if (error instanceof Problem && error.code === 'engine_unavailable' && !signal?.aborted)
      return await recover(client, spec, error, signal);
    if (!isRefusal(error, 409)) throw refused(error, spec);
  }
  // The name is taken: by an earlier create of ours whose answer was lost, or by somebody else.
  const stale = await inspectContainer(client, spec.name, signal);
  if (stale !== null) {
    if (!isOurs(spec.labels, stale.labels))
      throw new Problem(
        'conflict',
        `A container that is not this run’s has its name ${spec.name}. Remove it.`,
      );
    await removeContainer(client, stale.id, signal);
  }
  return await post(client, spec.name, body, signal).catch((error) => {
    throw refused(error, spec);
  });
}

async function post(
  client: DockerClient,
  name: string,
  body: object,
  signal?: AbortSignal,
): Promise<ContainerId> {
  const answer = await client.call<{ Id: string }>({
    method: 'POST',
    path: '/containers/create',
    query: { name },
    body,
    signal,
    deadlineMs: createDeadlineMs,
  });
  return answer.Id;
}

const recoverTries = 10;
const recoverEveryMs = 200;

/**
 * The connection broke after the create was sent: the container may exist, or be made just now, under the name that we gave it. Where the
 * engine does not answer this either, nothing more is done: the reaper finds the container by its name.
 */
async function recover(
  client: DockerClient,
  spec: ContainerSpec,
  cause: Problem,
  signal?: AbortSignal,
): Promise<ContainerId> {
  for (let attempt = 1; attempt <= recoverTries; attempt++) {
    const found = await inspectContainer(client, spec.name, signal).catch(() => undefined);
    if (found === undefined) throw cause;
    if (found !== null) {
      if (found.status === 'created' && isOurs(spec.labels, found.labels)) return found.id;
      throw cause;
    }
    await sleep(recoverEveryMs);
    signal?.throwIfAborted();
  }
  throw cause;
}

const isFull = /no space left on device|disk quota exceeded/i;

function refused(error: unknown, spec: ContainerSpec): unknown {
  if (!(error instanceof EngineRefusal)) return error;
  const said = oneLine(error.message);
  const more = { cause: error };
  if (error.status === 404 && /no such image/i.test(said))
    return new Problem('image_not_present', `The image ${spec.image} is not on the worker any more.`, more);
  if (error.status === 409)
    return new Problem('conflict', `A container has the name ${spec.name} already. Remove it.`, more);
  if (isFull.test(said) && spec.volumes.some(({ copy }) => copy))
    return new Problem(
      'start_failed',
      'What the image has where a volume is mounted does not fit into it, or the engine’s disk is full. Give the volume a higher "sizeBytes", or mount it elsewhere; a volume that is there already keeps its size.',
      more,
    );
  if (/cannot mkdir|not a directory/i.test(said))
    return new Problem(
      'start_failed',
      `The program cannot start in ${spec.workdir}: it is no folder. Give another "workdir", as in "/work".`,
      more,
    );
  if (spec.runtime !== null && /runtime/i.test(said))
    return new Problem(
      'isolation_unavailable',
      `The engine has no runtime "${spec.runtime}". Install it and name it in dockerd’s "runtimes", or use isolation "container".`,
      more,
    );
  return new Problem('start_failed', `The engine refused to create the container: ${causeIn(said)}.`, more);
}
