import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import type { DiskQuotas } from '../engine.ts';
import type { DockerClient } from './client.ts';
import { removeContainer } from './containers.ts';
import { EngineRefusal } from './errors.ts';
import { removeImage } from './images.ts';
import { quotaOption, saysNoQuotas } from './quota-options.ts';

const trialBytes = 1024 * 1024;

/** Whether it was refused because there are no quotas: the disk of the Engine is another one than when they were tried. */
export function isWithoutQuotas(error: unknown): boolean {
  const refusal = error instanceof EngineRefusal ? error : (error as Error | undefined)?.cause;
  return refusal instanceof EngineRefusal && saysNoQuotas(refusal.message);
}

/**
 * What the Engine holds to a size by the file system's project quotas. It does not say so (`/info` names the file system, not how it is
 * mounted): it is tried, once, and again when `again` says that it may be another Engine.
 */
export function createQuotas(client: DockerClient) {
  let known: Promise<DiskQuotas> | undefined;
  const tried = (): Promise<DiskQuotas> => {
    known ??= tryBoth(client).catch((error) => {
      known = undefined;
      throw error;
    });
    return known;
  };
  const again = (): Promise<DiskQuotas> => {
    known = undefined;
    return tried();
  };
  return {
    tried,
    again,
    /** Makes something that is held to `bytes` where the Engine has quotas of this kind; else it is made with `null`. */
    async held<T>(
      kind: keyof DiskQuotas,
      bytes: number,
      make: (bytes: number | null) => Promise<T>,
    ): Promise<T> {
      if (!(await tried())[kind]) return make(null);
      return make(bytes).catch(async (error) => {
        if (!isWithoutQuotas(error)) throw error;
        await again();
        return make(null);
      });
    },
  };
}

async function tryBoth(client: DockerClient): Promise<DiskQuotas> {
  const name = `runlet-quota-trial-${randomBytes(8).toString('hex')}`;
  const [roots, volumes] = await Promise.all([
    mayHaveRoots(client).then((may) => may && isTaken(tryRoot(client, name))),
    isTaken(tryVolume(client, name)),
  ]);
  return { roots, volumes };
}

const isTaken = (trial: Promise<void>): Promise<boolean> =>
  trial.then(
    () => true,
    (error) => {
      if (error instanceof EngineRefusal) return false;
      throw error;
    },
  );

/**
 * Of Docker's storage drivers overlay2 alone, and on XFS alone, limits what a container writes. For others the same option means its image
 * as well (btrfs, zfs), or nothing: containerd's image store takes it and does not hold it.
 */
async function mayHaveRoots(client: DockerClient): Promise<boolean> {
  type Answer = { Driver: string; DriverStatus?: [string, string][] | null };
  const { Driver, DriverStatus } = await client.call<Answer>({ method: 'GET', path: '/info' });
  const filesystem = DriverStatus?.find(([key]) => key === 'Backing Filesystem')?.[1];
  return Driver === 'overlay2' && filesystem === 'xfs';
}

/** A container that is never started, of an image that holds nothing but a folder. */
async function tryRoot(client: DockerClient, name: string): Promise<void> {
  const archive = pack();
  archive.entry({ name: 'empty', type: 'directory', mode: 0o755 });
  archive.finalize();
  await client.call({
    method: 'POST',
    path: '/images/create',
    query: { fromSrc: '-', repo: name, tag: 'trial' },
    tar: await buffer(archive),
  });
  try {
    const { Id } = await client.call<{ Id: string }>({
      method: 'POST',
      path: '/containers/create',
      query: { name },
      body: {
        Image: `${name}:trial`,
        Entrypoint: ['/never-started'],
        NetworkDisabled: true,
        HostConfig: { StorageOpt: quotaOption(trialBytes) },
      },
    });
    await removeContainer(client, Id);
  } finally {
    await removeImage(client, `${name}:trial`);
  }
}

async function tryVolume(client: DockerClient, name: string): Promise<void> {
  await client.call({
    method: 'POST',
    path: '/volumes/create',
    body: { Name: name, DriverOpts: quotaOption(trialBytes) },
  });
  await client.call({ method: 'DELETE', path: `/volumes/${name}` });
}
