import { familiarName, parseImageReference } from '../../../../shared/images.ts';
import { Problem } from '../../../../shared/problems.ts';
import type { ImageInfo, ImageSummary } from '../engine.ts';
import { normalArchitecture } from '../platform.ts';
import type { DockerClient } from './client.ts';
import { isRefusal, unexpected } from './errors.ts';
import { timeOrNull } from './inspect.ts';

const epoch = '1970-01-01T00:00:00.000Z';

/** The digest by which the reference's own repository knows the image. `repoDigests`: `name@sha256:…`. */
export function digestFor(reference: string, repoDigests: string[]): string | null {
  const wanted = parseImageReference(reference);
  if (wanted === undefined) return null;
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
    if (isRefusal(error, 404)) return null;
    throw unexpected(error, `inspect the image ${reference}`);
  }
  const config = found.Config ?? {};
  return {
    id: found.Id,
    digest: digestFor(reference, found.RepoDigests ?? []),
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

type ListAnswer = {
  Id: string;
  RepoTags: string[] | null;
  RepoDigests: string[] | null;
  Size: number;
  Created: number;
}[];

/** One entry for each name of each image; an image without a tag goes by its digest, one without either is left out. */
export async function listImages(client: DockerClient, signal?: AbortSignal): Promise<ImageSummary[]> {
  const query = { digests: 1 };
  const found = await client
    .call<ListAnswer>({ method: 'GET', path: '/images/json', query, signal })
    .catch((error) => {
      throw unexpected(error, 'list images');
    });
  return found.flatMap((one) => {
    const digests = one.RepoDigests ?? [];
    const named = (name: string) => !name.includes('<none>');
    const tags = (one.RepoTags ?? []).filter(named);
    return (tags.length > 0 ? tags : digests.filter(named)).map((reference) => ({
      reference,
      digest: digestFor(reference, digests),
      id: one.Id,
      sizeBytes: one.Size,
      createdAt: new Date(one.Created * 1000).toISOString(),
    }));
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
    if (isRefusal(error, 404)) return false;
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
