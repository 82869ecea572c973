import type { ServiceRequest } from '../../../shared/contracts/service.ts';
import type { ServiceHead } from '../../../shared/stores/service-record.ts';
import type { ContainerSpec, PortBinding } from '../engine/containers.ts';
import type { ImageInfo } from '../engine/images.ts';
import type { Labels } from '../engine/label-set.ts';
import type { SandboxNetwork } from '../network/network.ts';
import { gvisorRuntime, type SandboxInit } from '../sandbox/drivers/engine/container-spec.ts';
import { resolveCommand } from '../sandbox/program/command.ts';
import { checkWorkdir, workdirFor } from '../sandbox/program/folders.ts';
import { noCore } from '../sandbox/spec.ts';
import { maxFileBytes } from './disk.ts';
import { bringsItsInit } from './own-inits.ts';

/** What the entrypoints of official images need to give their folders to their own user and to become that user; no more. */
const capabilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETUID', 'SETGID', 'NET_BIND_SERVICE', 'KILL'];
const MiB = 1024 * 1024;
const log = { maxBytes: 10 * MiB, files: 2 };

/** The work folder of a service, and of what runs inside of it: the image's; with files, where these are. */
export function serviceWorkdir(
  workdir: string | undefined,
  hasFiles: boolean,
  image: Pick<ImageInfo, 'workdir'>,
): string {
  if (hasFiles) return checkWorkdir(workdirFor(workdir, image.workdir));
  return checkWorkdir(workdir ?? (image.workdir || '/'));
}

/** A service's container: it runs the image as its maker meant it, as isolated as a run. Pure. */
export function serviceSpecFor(options: {
  head: ServiceHead;
  request: ServiceRequest;
  image: ImageInfo;
  identity: { name: string; labels: Labels };
  publish: PortBinding[];
  network: SandboxNetwork;
  volumeNames: Map<string, string>;
  init: SandboxInit;
  seccompProfile: string;
}): ContainerSpec {
  const { request, image, network } = options;
  const { limits } = request;
  const program = resolveCommand(request, image, request.image);
  const fileBytes = maxFileBytes(request);
  // A service that was stored before there was `init` has no such field, and gets one.
  const hasInit = request.init !== false && !bringsItsInit([...program.entrypoint, ...program.command]);
  return {
    ...options.identity,
    image: image.id,
    entrypoint: hasInit ? [options.init.path, 'service', '--', ...program.entrypoint] : program.entrypoint,
    command: program.command,
    env: request.env,
    workdir: serviceWorkdir(request.workdir, request.files.length > 0, image),
    user: '',
    hostname: options.head.name,
    stdin: false,
    network: network.name,
    dns: network.dns,
    readOnlyRoot: false,
    rootBytes: request.isolation === 'gvisor' ? null : limits.diskBytes,
    tmpfs: [],
    volumes: [
      options.init.volume,
      ...request.volumes.map(({ name, path }) => ({
        name: options.volumeNames.get(name) ?? name,
        path,
        readOnly: false,
        copy: true,
      })),
    ],
    files: [],
    memoryBytes: limits.memoryBytes,
    // The init is a process as well.
    pids: limits.pids + (hasInit ? 1 : 0),
    cpus: limits.cpus,
    shmBytes: 64 * MiB,
    // Open files: the engine's own limit, since databases need more than a run does.
    rlimits: [
      noCore,
      // No file may be larger than the disk limit: the kernel holds to this even where the disk watch cannot look.
      { name: 'fsize', soft: fileBytes, hard: fileBytes },
    ],
    capabilities,
    seccompProfile: options.seccompProfile,
    runtime: request.isolation === 'gvisor' ? gvisorRuntime : null,
    // The kernel kills runs first, then services, then the worker and the engine: others depend on a service.
    oomScoreAdj: 300,
    service: { publish: options.publish, log },
  };
}
