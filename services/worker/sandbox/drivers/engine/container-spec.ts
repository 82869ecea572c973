import type { ContainerSpec, FileMount, VolumeMount } from '../../../engine/containers.ts';
import type { Labels } from '../../../engine/label-set.ts';
import { labelNames, labelsFor, sandboxName, warmLabelsFor, warmName } from '../../../labels.ts';
import type { SandboxNetwork } from '../../../network/network.ts';
import type { SandboxSpec } from '../../spec.ts';
import { userText } from '../../users/run-users.ts';

/** The engine's OCI runtime for isolation "gvisor". */
export const gvisorRuntime = 'runsc';

/** What brings the init to a container: the volume that has it, and the hosts file of one without a network. */
export type SandboxInit = { volume: VolumeMount; path: string; hosts: FileMount };

/** How a sandbox's container is found, and known to be ours. */
export function identityOf({ of, owner }: SandboxSpec['owner']): { name: string; labels: Labels } {
  return of === 'run'
    ? { name: sandboxName(owner), labels: labelsFor(owner) }
    : { name: warmName(owner.warm), labels: warmLabelsFor(owner) };
}

/** The container that a sandbox is with the engine. Pure. `files`: those of the spec, as they lie on the engine. */
export function containerSpecFor(
  spec: SandboxSpec,
  init: SandboxInit,
  network?: SandboxNetwork,
  files: FileMount[] = [],
): ContainerSpec {
  const { name, labels } = identityOf(spec.owner);
  const { user } = spec.lease;
  const inGvisor = spec.isolation === 'gvisor';
  return {
    name,
    labels: { ...labels, [labelNames.user]: String(user.uid) },
    image: spec.image,
    entrypoint: [init.path],
    // gVisor lets a program kill PID 1 and open its descriptors if it has its user: so there the init is root of the
    // sandbox's own kernel, and programs are told apart by it (infra/sandbox-init/README.md).
    command: inGvisor ? [userText(user)] : [],
    env: {},
    workdir: spec.workdir,
    user: inGvisor ? '0:0' : userText(user),
    hostname: spec.hostname,
    stdin: true,
    network: network?.name ?? 'none',
    dns: network?.dns ?? [],
    readOnlyRoot: !spec.writable,
    rootBytes: inGvisor ? null : spec.rootBytes,
    tmpfs: spec.folders,
    volumes: [init.volume],
    files: [...(network === undefined ? [init.hosts] : []), ...files],
    ...spec.limits,
    shmBytes: spec.shmBytes,
    rlimits: spec.rlimits,
    capabilities: inGvisor ? ['KILL', 'SETGID', 'SETPCAP', 'SETUID'] : [],
    seccompProfile: spec.seccompProfile,
    runtime: inGvisor ? gvisorRuntime : null,
    oomScoreAdj: spec.oomScoreAdj,
  };
}
