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

/** What the entrypoints of official images need to hand their folders to their own user, and become it; and no more. */
const capabilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETUID', 'SETGID', 'NET_BIND_SERVICE', 'KILL'];
const MiB = 1024 * 1024;
const log = { maxBytes: 10 * MiB, files: 2 };

/** Where the service starts, and what runs inside of it: as the image says; with files where they are. */
export function serviceWorkdir(
  workdir: string | undefined,
  hasFiles: boolean,
  image: Pick<ImageInfo, 'workdir'>,
): string {
  if (hasFiles) return checkWorkdir(workdirFor(workdir, image.workdir));
  return checkWorkdir(workdir ?? (image.workdir || '/'));
}

/** A service's container: the image as its maker meant it, within the same walls as a run. Pure. */
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
  // A service that was stored before there was such a field says nothing.
  const fileBytes = maxFileBytes(request);
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
    // The init is a process, too.
    pids: limits.pids + (hasInit ? 1 : 0),
    cpus: limits.cpus,
    shmBytes: 64 * MiB,
    // Open files: as many as the engine gives, since databases want more than a run does.
    rlimits: [
      noCore,
      // No file is larger than all of them together may be: so much is held without anybody who looks.
      { name: 'fsize', soft: fileBytes, hard: fileBytes },
    ],
    capabilities,
    seccompProfile: options.seccompProfile,
    runtime: request.isolation === 'gvisor' ? gvisorRuntime : null,
    // Before the engine and the worker, after runs: somebody waits for it to be there.
    oomScoreAdj: 300,
    service: { publish: options.publish, log },
  };
}
