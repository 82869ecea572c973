import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { Problem } from '../../../../shared/problems.ts';
import type { Labels } from '../label-set.ts';
import type { VolumeSpec, VolumeSummary } from '../volumes.ts';
import type { DockerClient } from './client.ts';
import { labelFilter, removeContainer } from './containers.ts';
import { isRefusal, unexpected } from './errors.ts';
import { removeImage } from './images.ts';
import { quotaIn, quotaOption } from './quota-options.ts';

const folder = '/volume';

/**
 * Fills a volume without the engine's archive upload and without a mount of the worker's own files: the files become
 * a tiny image, and Docker copies what an image has at a path into an empty volume that is mounted there. A volume
 * that holds something is left alone.
 */
export async function provideVolume(
  client: DockerClient,
  spec: VolumeSpec,
  signal?: AbortSignal,
): Promise<string> {
  const image = `${spec.name}:volume`;
  try {
    await client.call({
      method: 'POST',
      path: '/images/create',
      query: { fromSrc: '-', repo: spec.name, tag: 'volume' },
      tar: await archiveOf(spec.files),
      signal,
    });
    const volume = await postVolume(client, spec.name, spec.labels, signal);
    const made = await client.call<{ Id: string }>({
      method: 'POST',
      path: '/containers/create',
      body: {
        Image: image,
        Entrypoint: ['/never-started'],
        NetworkDisabled: true,
        HostConfig: { Mounts: [{ Type: 'volume', Source: spec.name, Target: folder }] },
      },
      signal,
    });
    await removeContainer(client, made.Id, signal);
    await removeImage(client, image, signal);
    return volume.Mountpoint;
  } catch (error) {
    throw unexpected(error, `fill the volume ${spec.name}`);
  }
}

export async function createVolume(
  client: DockerClient,
  name: string,
  labels: Labels,
  maxBytes: number | null,
  signal?: AbortSignal,
): Promise<number | null> {
  try {
    const volume = await postVolume(client, name, labels, signal, maxBytes);
    return quotaIn(volume.Options);
  } catch (error) {
    throw unexpected(error, `create the volume ${name}`);
  }
}

/** One that is there already is an answer like any other. */
function postVolume(
  client: DockerClient,
  name: string,
  labels: Labels,
  signal?: AbortSignal,
  maxBytes: number | null = null,
): Promise<{ Mountpoint: string; Options?: Record<string, string> | null }> {
  const body = {
    Name: name,
    Labels: labels,
    ...(maxBytes !== null && { DriverOpts: quotaOption(maxBytes) }),
  };
  return client.call({ method: 'POST', path: '/volumes/create', body, signal });
}

async function archiveOf(files: VolumeSpec['files']): Promise<Buffer> {
  const archive = pack();
  archive.entry({ name: folder.slice(1), type: 'directory', mode: 0o755 });
  for (const { name, mode, data } of files) archive.entry({ name: `${folder.slice(1)}/${name}`, mode }, data);
  archive.finalize();
  return buffer(archive);
}

export async function removeVolume(client: DockerClient, name: string, signal?: AbortSignal): Promise<void> {
  try {
    await client.call({ method: 'DELETE', path: `/volumes/${encodeURIComponent(name)}`, signal });
  } catch (error) {
    if (isRefusal(error, 404)) return;
    if (isRefusal(error, 409))
      throw new Problem('conflict', `The volume ${name} is in use by a container.`, { cause: error });
    throw unexpected(error, 'remove the volume');
  }
}

type ListAnswer = { Volumes: { Name: string; Labels: Labels | null; Mountpoint: string }[] | null };

export async function listVolumes(
  client: DockerClient,
  labels: Labels,
  signal?: AbortSignal,
): Promise<VolumeSummary[]> {
  try {
    const query = { filters: labelFilter(labels) };
    const found = await client.call<ListAnswer>({ method: 'GET', path: '/volumes', query, signal });
    return (found.Volumes ?? []).map((one) => ({
      name: one.Name,
      labels: one.Labels ?? {},
      folder: one.Mountpoint,
    }));
  } catch (error) {
    throw unexpected(error, 'list volumes');
  }
}
