import { defaultVolumeBytes, type ServiceRequest } from '../../../shared/contracts/service.ts';
import { Problem } from '../../../shared/problems.ts';
import type { DiskLimits } from '../disk/places.ts';
import type { DiskOver, DiskWatch } from '../disk/watch.ts';
import type { ContainerState } from '../engine/containers.ts';

type Bounds = Pick<ServiceRequest, 'limits' | 'volumes'>;

/** What a service may have on the disk: in its root, and in each volume that its request names. */
export function diskLimits({ limits, volumes }: Bounds): DiskLimits {
  return {
    rootBytes: limits.diskBytes,
    volumes: volumes.map(({ path, sizeBytes }) => ({ path, bytes: sizeBytes ?? defaultVolumeBytes })),
  };
}

/** The largest file that it may have anywhere. */
export function maxFileBytes(request: Bounds): number {
  const { rootBytes, volumes } = diskLimits(request);
  return Math.max(rootBytes, ...volumes.map(({ bytes }) => bytes));
}

/**
 * Throws where a volume that is there has a quota below what is asked for: it is fixed when the volume is made, and the larger size would be
 * had in name only. Who names no size has what there is. Pure.
 */
export function checkVolumeFits(
  index: number,
  name: string,
  sizeBytes: number | undefined,
  quota: number | null,
): void {
  if (quota === null || sizeBytes === undefined || sizeBytes <= quota) return;
  throw new Problem(
    'conflict',
    `The volume "${name}" was made for ${quota} bytes, and cannot be made larger where the disk’s own quotas hold it to them: volumes[${index}].sizeBytes is ${sizeBytes}. Ask for ${quota} or less; or name a new volume, and copy into it what is in this one.`,
  );
}

/** Why a service that has more on the disk than it may was killed, and what to do. Pure. */
export function diskProblem({ volume }: DiskOver, request: Bounds): Problem {
  const index = request.volumes.findIndex(({ path }) => path === volume);
  const named = request.volumes[index];
  if (named === undefined)
    return new Problem(
      'disk_limit',
      `It wrote more than limits.diskBytes (${request.limits.diskBytes} bytes) to its root filesystem, and was killed; what it wrote there went with its container, named volumes are kept. Start it again if it will write less, or create it anew with a higher limits.diskBytes, or with a volume for what it keeps.`,
    );
  return new Problem(
    'disk_limit',
    `Its volume "${named.name}" holds more than volumes[${index}].sizeBytes (${named.sizeBytes ?? defaultVolumeBytes} bytes), and it was killed; the volume is kept as it is. Create the service anew with a higher sizeBytes for it: it finds what is there.`,
  );
}

/** Watches what the running container of one service writes, and kills it at once when it is over its limit. */
export function createServiceDisk(options: {
  disk: Pick<DiskWatch, 'watch'>;
  request: Bounds;
  kill: (container: string) => Promise<void>;
  /** It was killed: the keeper is to act on it. */
  onOver: () => void;
}) {
  let watched = '';
  let over: Problem | undefined;
  let leave = () => {};
  return {
    /** To be called for each start of a container. */
    watch({ id, startedAt }: Pick<ContainerState, 'id' | 'startedAt'>): void {
      const start = `${id} ${startedAt}`;
      if (watched === start) return;
      leave();
      watched = start;
      leave = options.disk.watch(id, diskLimits(options.request), (what) => {
        over = diskProblem(what, options.request);
        // If that fails, its removal, which follows, ends it.
        options.kill(id).catch(() => {});
        options.onOver();
      });
    },
    /** Why it was killed, until `leave` is called. */
    over: () => over,
    /** It does not run any more. */
    leave(): void {
      leave();
      watched = '';
      over = undefined;
    },
  };
}
