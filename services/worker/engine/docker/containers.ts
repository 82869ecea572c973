import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../../../shared/problems.ts';
import type { ContainerId, ContainerState, ContainerSummary, UpdatableLimits } from '../containers.ts';
import { holdsMore } from '../holds-more.ts';
import type { Labels } from '../label-set.ts';
import type { DockerClient } from './client.ts';
import { resourcesFor } from './container-body.ts';
import { isRefusal, unexpected } from './errors.ts';

export function labelFilter(labels: Labels): string {
  return JSON.stringify({
    label: Object.entries(labels).map(([name, value]) => (value === '' ? name : `${name}=${value}`)),
  });
}

/** How long an engine on a loaded machine may take to destroy a container with much memory or many processes. */
const removeDeadlineMs = 60_000;
const removeAgainMs = 100;
const maxWaits = 100;
const maxTries = 5;

export async function removeContainer(
  client: DockerClient,
  idOrName: string,
  signal?: AbortSignal,
): Promise<void> {
  const path = `/containers/${encodeURIComponent(idOrName)}`;
  for (let attempt = 1; ; attempt++) {
    try {
      await client.call({
        method: 'DELETE',
        path,
        query: { force: 1, v: 1 },
        signal,
        deadlineMs: removeDeadlineMs,
      });
      return;
    } catch (error) {
      if (isRefusal(error, 404)) return;
      // 409, "removal … is already in progress": another call removes it, and is waited for. 500: a mount or cgroup of it was still in
      // use; Docker keeps the rest as "dead", and it can be removed again.
      const tries = isRefusal(error, 409) ? maxWaits : isRefusal(error, 500) ? maxTries : 1;
      if (attempt >= tries) throw unexpected(error, 'remove the container');
      await sleep(removeAgainMs);
      signal?.throwIfAborted();
    }
  }
}

export async function killContainer(
  client: DockerClient,
  id: ContainerId,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await client.call({
      method: 'POST',
      path: `/containers/${encodeURIComponent(id)}/kill`,
      query: { signal: name },
      also: [304],
      signal,
    });
  } catch (error) {
    // 409: not running. 404: gone.
    if (!isRefusal(error, 404, 409)) throw unexpected(error, 'kill the container');
  }
}

/** Beside the grace time: to kill it, and to see that it is dead, on a loaded machine. */
const stopMarginMs = 30_000;

export async function stopContainer(
  client: DockerClient,
  id: ContainerId,
  graceMs: number,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await client.call({
      method: 'POST',
      path: `/containers/${encodeURIComponent(id)}/stop`,
      query: { t: Math.ceil(graceMs / 1000) },
      also: [304],
      signal,
      deadlineMs: graceMs + stopMarginMs,
    });
  } catch (error) {
    if (!isRefusal(error, 404)) throw unexpected(error, 'stop the container');
  }
}

/** As runc (1.1 and later), crun and the kernel say it of a memory limit that is less than what the container holds. */
const holdsTooMuch = /unable to set memory limit|resource busy/i;

export async function updateContainer(
  client: DockerClient,
  id: ContainerId,
  limits: UpdatableLimits,
  signal?: AbortSignal,
): Promise<void> {
  try {
    const path = `/containers/${encodeURIComponent(id)}/update`;
    await client.call({ method: 'POST', path, body: resourcesFor(limits), signal });
  } catch (error) {
    if (isRefusal(error, 404)) throw containerLost();
    if (isRefusal(error, 500) && holdsTooMuch.test(error.message)) throw holdsMore(error);
    throw unexpected(error, 'set the container’s limits');
  }
}

export async function renameContainer(
  client: DockerClient,
  id: ContainerId,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  try {
    const path = `/containers/${encodeURIComponent(id)}/rename`;
    await client.call({ method: 'POST', path, query: { name }, signal });
  } catch (error) {
    if (isRefusal(error, 404)) throw containerLost();
    if (isRefusal(error, 409)) throw new Problem('conflict', `The name ${name} is taken.`, { cause: error });
    throw unexpected(error, 'rename the container');
  }
}

type ListAnswer = {
  Id: string;
  Names: string[];
  State: ContainerState['status'];
  Labels: Labels | null;
  ImageID: string;
  Created: number;
}[];

export async function listContainers(
  client: DockerClient,
  labels: Labels,
  signal?: AbortSignal,
): Promise<ContainerSummary[]> {
  try {
    const query = { all: 1, filters: labelFilter(labels) };
    const found = await client.call<ListAnswer>({ method: 'GET', path: '/containers/json', query, signal });
    return found.map((one) => ({
      id: one.Id,
      name: (one.Names[0] ?? '').replace(/^\//, ''),
      status: one.State,
      labels: one.Labels ?? {},
      image: one.ImageID,
      createdAt: new Date(one.Created * 1000).toISOString(),
    }));
  } catch (error) {
    throw unexpected(error, 'list containers');
  }
}

export function containerLost(): Problem {
  return new Problem('container_lost', 'The container was removed by someone else while it was needed.');
}
