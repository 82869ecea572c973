import { familiarName, imageIdIn, parseImageReference } from '../../../../shared/images.ts';
import { Problem } from '../../../../shared/problems.ts';
import { normalArchitecture } from '../architecture.ts';
import type { ImageInfo, ImageLayers, ImageSummary } from '../images.ts';
import type { DockerClient } from './client.ts';
import { isRefusal, unexpected } from './errors.ts';
import { timeOrNull } from './inspect.ts';

const epoch = '1970-01-01T00:00:00.000Z';

/**
 * The digest of the image in the reference's own repository. `repoDigests`: `name@sha256:…`. For an image's id, which names no repository:
 * the digest that all its repositories have, if they have the same.
 */
export function digestFor(reference: string, repoDigests: string[]): string | null {
  const wanted = parseImageReference(reference);
  if (wanted === undefined) {
    const all = new Set(repoDigests.flatMap((one) => parseImageReference(one)?.digest ?? []));
    return all.size === 1 ? ([...all][0] ?? null) : null;
  }
  for (const one of repoDigests) {
    const known = parseImageReference(one);
    if (known === undefined || known.digest === undefined) continue;
    const same = known.registry === wanted.registry && known.repository === wanted.repository;
    if (same && (wanted.digest === undefined || wanted.digest === known.digest)) return known.digest;
  }
  return null;
}

type InspectAnswer = {
  Id: string;
  RepoDigests: string[] | null;
  Architecture: string;
  Variant?: string;
  Os: string;
  Size: number;
  Created?: string;
  Config: {
    Entrypoint?: string[] | null;
    Cmd?: string[] | null;
    Env?: string[] | null;
    WorkingDir?: string;
    Volumes?: Record<string, object> | null;
    User?: string;
  } | null;
  GraphDriver?: { Name: string; Data: { LowerDir?: string; UpperDir?: string } | null };
};

export async function inspectImage(
  client: DockerClient,
  reference: string,
  signal?: AbortSignal,
): Promise<ImageInfo | null> {
  let found: InspectAnswer;
  try {
    const path = `/images/${familiarName(reference)}/json`;
    found = await client.call<InspectAnswer>({ method: 'GET', path, signal });
  } catch (error) {
    // Where several ids begin with it, engines differ in their answers.
    const missing =
      isRefusal(error, 404) || (imageIdIn(reference) !== undefined && isRefusal(error, 400, 409, 500));
    if (!missing) throw unexpected(error, `inspect the image ${reference}`);
    await refuseAmbiguous(client, reference, signal);
    return null;
  }
  const config = found.Config ?? {};
  const byId = found.Id.startsWith(`sha256:${imageIdIn(reference)}`);
  return {
    id: found.Id,
    digest: digestFor(byId ? found.Id : reference, found.RepoDigests ?? []),
    architecture: normalArchitecture(found.Architecture),
    os: found.Os,
    variant: found.Variant || null,
    entrypoint: config.Entrypoint ?? [],
    cmd: config.Cmd ?? [],
    env: config.Env ?? [],
    workdir: config.WorkingDir ?? '',
    volumes: Object.keys(config.Volumes ?? {}),
    user: config.User ?? '',
    sizeBytes: found.Size,
    createdAt: timeOrNull(found.Created) ?? epoch,
  };
}

/** Docker's overlay2 tells its folders; other storage drivers, and containerd's image store, do not. */
export async function imageLayers(
  client: DockerClient,
  reference: string,
  signal?: AbortSignal,
): Promise<ImageLayers | null> {
  try {
    const path = `/images/${familiarName(reference)}/json`;
    const { GraphDriver } = await client.call<InspectAnswer>({ method: 'GET', path, signal });
    const { LowerDir = '', UpperDir } = GraphDriver?.Data ?? {};
    if (GraphDriver?.Name !== 'overlay2' || UpperDir === undefined) return null;
    return [UpperDir, ...LowerDir.split(':').filter((folder) => folder !== '')];
  } catch (error) {
    if (isRefusal(error, 404)) return null;
    throw unexpected(error, `inspect the image ${reference}`);
  }
}

/** Throws a Problem `image_not_found` where the reference is the beginning of several images' ids. */
async function refuseAmbiguous(client: DockerClient, reference: string, signal?: AbortSignal): Promise<void> {
  const beginning = imageIdIn(reference);
  if (beginning === undefined) return;
  const all = (await listRaw(client, signal)).map(({ Id }) => Id);
  const ids = new Set(all.filter((id) => id.startsWith(`sha256:${beginning}`)));
  if (ids.size > 1)
    throw new Problem(
      'image_not_found',
      `${reference} is the beginning of the ids of ${ids.size} images: give more of the id, or the image’s name.`,
    );
}

async function listRaw(client: DockerClient, signal?: AbortSignal): Promise<ListAnswer> {
  const query = { digests: 1 };
  return client.call<ListAnswer>({ method: 'GET', path: '/images/json', query, signal }).catch((error) => {
    throw unexpected(error, 'list images');
  });
}

type ListAnswer = {
  Id: string;
  RepoTags: string[] | null;
  RepoDigests: string[] | null;
  Size: number;
  Created: number;
}[];

/** One entry for each name of each image. An image without a tag is named by its digest, without either by its id. */
export async function listImages(client: DockerClient, signal?: AbortSignal): Promise<ImageSummary[]> {
  const found = await listRaw(client, signal);
  return found.flatMap((one) => {
    const named = (name: string) => !name.includes('<none>');
    const digests = (one.RepoDigests ?? []).filter(named);
    const tags = (one.RepoTags ?? []).filter(named);
    return (
      [tags, digests, [one.Id]]
        .find((names) => names.length > 0)
        ?.map((reference) => ({
          reference,
          digest: digestFor(reference, digests),
          id: one.Id,
          sizeBytes: one.Size,
          createdAt: new Date(one.Created * 1000).toISOString(),
        })) ?? []
    );
  });
}

export async function removeImage(
  client: DockerClient,
  reference: string,
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    await client.call({
      method: 'DELETE',
      path: `/images/${familiarName(reference)}`,
      signal,
      deadlineMs: 60_000,
    });
    return true;
  } catch (error) {
    if (isRefusal(error, 404)) {
      await refuseAmbiguous(client, reference, signal);
      return false;
    }
    if (isRefusal(error, 409) && /referenced in/i.test(error.message))
      throw new Problem(
        'conflict',
        `The image ${reference} has several names: remove each of them, and the image goes with the last.`,
        { cause: error },
      );
    if (isRefusal(error, 409))
      throw new Problem(
        'conflict',
        `The image ${reference} is in use by a container. Try again when its runs have ended.`,
        {
          cause: error,
        },
      );
    throw unexpected(error, `remove the image ${reference}`);
  }
}
