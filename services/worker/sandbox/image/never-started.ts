import type { ContainerSpec } from '../../engine/containers.ts';
import type { ImageInfo } from '../../engine/images.ts';
import { writableFolders } from '../program/folders.ts';
import { type RunUser, userText } from '../users/run-users.ts';

const MiB = 1024 * 1024;

/**
 * A container that is made and never started: by it the engine shows an image's files, and keeps them. Throws a Problem `start_failed` for an
 * image whose VOLUMEs are not possible in a sandbox.
 */
export function neverStarted(
  image: Pick<ImageInfo, 'id' | 'volumes'>,
  identity: Pick<ContainerSpec, 'name' | 'labels'>,
  user: RunUser,
  seccompProfile: string,
): ContainerSpec {
  return {
    ...identity,
    image: image.id,
    entrypoint: ['/never'],
    command: [],
    env: {},
    workdir: '/',
    user: userText(user),
    hostname: '',
    stdin: false,
    network: 'none',
    dns: [],
    readOnlyRoot: true,
    rootBytes: null,
    // A tmpfs on each VOLUME keeps the engine from copying the image's content into a volume. It is mounted only at a
    // start.
    tmpfs: writableFolders(image.volumes, '/', MiB, user),
    volumes: [],
    files: [],
    memoryBytes: 64 * MiB,
    pids: 1,
    cpus: 1,
    shmBytes: MiB,
    rlimits: [],
    capabilities: [],
    seccompProfile,
    runtime: null,
    oomScoreAdj: 0,
  };
}
