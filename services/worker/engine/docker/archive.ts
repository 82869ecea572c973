import type { Readable } from 'node:stream';
import type { ContainerId } from '../containers.ts';
import type { DockerClient } from './client.ts';
import { containerLost } from './containers.ts';
import { isRefusal, unexpected } from './errors.ts';

/** On a loaded machine the engine has to mount the container's file system first. */
const headDeadlineMs = 60_000;

export async function readArchive(
  client: DockerClient,
  id: ContainerId,
  path: string,
  signal?: AbortSignal,
): Promise<Readable | null> {
  try {
    return await client.stream({
      method: 'GET',
      path: `/containers/${encodeURIComponent(id)}/archive`,
      query: { path },
      signal,
      deadlineMs: headDeadlineMs,
    });
  } catch (error) {
    if (isRefusal(error, 404) && /no such container/i.test(error.message)) throw containerLost();
    // 400 and 500: a part of the path is not a folder, or its links form a circle.
    if (isRefusal(error, 404) || (isRefusal(error, 400, 500) && pathless.test(error.message))) return null;
    throw unexpected(error, `read ${path} of the container`);
  }
}

const pathless = /not a directory|no such file|too many (?:levels of symbolic )?links|file name too long/i;
