import type { ContainerSpec, FileMount, VolumeMount } from '../../../engine/containers.ts';
import type { Labels } from '../../../engine/label-set.ts';
import { labelNames, labelsFor, sandboxName, warmLabelsFor, warmName } from '../../../labels.ts';
import type { SandboxNetwork } from '../../../network/network.ts';
import type { SandboxSpec } from '../../spec.ts';
import { userText } from '../../users/run-users.ts';

/** The engine's OCI runtime for isolation "gvisor". */
export const gvisorRuntime = 'runsc';

/**
 * What a container needs for the init: the volume with the init, and the hosts file for a container without a network.
 */
export type SandboxInit = { volume: VolumeMount; path: string; hosts: FileMount };

/** The name and labels by which a sandbox's container is found and recognised as ours. */
export function identityOf({ of, owner }: SandboxSpec['owner']): { name: string; labels: Labels } {
  return of === 'run'
    ? { name: sandboxName(owner), labels: labelsFor(owner) }
    : { name: warmName(owner.warm), labels: warmLabelsFor(owner) };
}

/** The engine's container spec for a sandbox. Pure. `files`: the spec's files, with their paths on the engine. */
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
    // In gVisor, a program that has the user of PID 1 can kill it and open its descriptors. So there the init is root
    // of the sandbox's own kernel, and it starts the programs as another user (infra/sandbox-init/README.md).
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
