import type { ContainerSpec, PortBinding, ServiceParts, UpdatableLimits } from '../containers.ts';
import { quotaOption } from './quota-options.ts';

/**
 * The Engine API's body for a create. Whatever a spec does not say is at its strictest here. `sysctls`: of its network namespace; a runtime
 * with a kernel of its own has none of them.
 */
export function containerBody(spec: ContainerSpec, sysctls: Record<string, string> = {}): object {
  return {
    Image: spec.image,
    // Both always: an entrypoint that is an empty list keeps the image's out.
    Entrypoint: spec.entrypoint,
    Cmd: spec.command,
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    WorkingDir: spec.workdir,
    ...(spec.user !== '' && { User: spec.user }),
    Hostname: spec.hostname,
    Labels: spec.labels,
    Tty: false,
    OpenStdin: spec.stdin,
    StdinOnce: spec.stdin,
    AttachStdin: spec.stdin,
    AttachStdout: true,
    AttachStderr: true,
    Healthcheck: { Test: ['NONE'] },
    // Docker's network "none" is a network too: to attach the container to it, dockerd executes itself anew in each start
    // and keeps books on it. Without, a start, its end and its removal cost half (175 ms of CPU → 90, of runc on two cores).
    NetworkDisabled: spec.network === 'none',
    ...(spec.service && { ExposedPorts: exposedPorts(spec.service) }),
    HostConfig: {
      AutoRemove: false,
      NetworkMode: spec.network,
      Dns: spec.dns,
      // Where the only resolver is the container's own loopback there mostly is none: that shall not take 10 s to find out.
      ...(isOwnLoopback(spec.dns) && { DnsOptions: ['timeout:1', 'attempts:1'] }),
      ReadonlyRootfs: spec.readOnlyRoot,
      ...(spec.rootBytes !== null && { StorageOpt: quotaOption(spec.rootBytes) }),
      Tmpfs: Object.fromEntries(
        spec.tmpfs.map(({ path, sizeBytes, inodes, uid, gid }) => [
          path,
          // runc gives a tmpfs on an existing folder that folder's mode, whatever `mode` says, and Docker itself makes
          // the working folder, as root's and closed: so each has its user as its owner.
          `rw,exec,nosuid,nodev,size=${sizeBytes},nr_inodes=${inodes},mode=1777,uid=${uid},gid=${gid}`,
        ]),
      ),
      Mounts: [
        ...spec.volumes.map(({ name, path, readOnly, copy = false }) => ({
          Type: 'volume',
          Source: name,
          Target: path,
          ReadOnly: readOnly,
          VolumeOptions: { NoCopy: !copy },
        })),
        ...spec.files.map(({ source, path }) => ({
          Type: 'bind',
          Source: source,
          Target: path,
          ReadOnly: true,
        })),
      ],
      ...resourcesFor(spec),
      ShmSize: spec.shmBytes,
      Ulimits: spec.rlimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
      CapDrop: ['ALL'],
      CapAdd: spec.capabilities,
      Privileged: false,
      SecurityOpt: ['no-new-privileges:true', `seccomp=${spec.seccompProfile}`],
      IpcMode: 'private',
      CgroupnsMode: 'private',
      LogConfig: logConfig(spec.service),
      ...(spec.service && { PortBindings: portBindings(spec.service) }),
      RestartPolicy: { Name: 'no' },
      Init: false,
      OomScoreAdj: spec.oomScoreAdj,
      ...(spec.runtime === null && { Sysctls: sysctls }),
      ...(spec.runtime !== null && { Runtime: spec.runtime }),
    },
  };
}

/** The limits that Docker sets at the create and may set anew later. */
export function resourcesFor(limits: UpdatableLimits): object {
  return {
    Memory: limits.memoryBytes,
    MemorySwap: limits.memoryBytes,
    PidsLimit: limits.pids,
    NanoCpus: Math.max(10_000_000, Math.round(limits.cpus * 1e9)),
    CpuShares: Math.max(2, Math.round(limits.cpus * 1024)),
  };
}

function isOwnLoopback(dns: string[]): boolean {
  return dns.length > 0 && dns.every((address) => address.startsWith('127.'));
}

function logConfig(service: ServiceParts | undefined): object {
  if (service === undefined) return { Type: 'none', Config: {} };
  const { maxBytes, files } = service.log;
  return { Type: 'json-file', Config: { 'max-size': String(maxBytes), 'max-file': String(files) } };
}

function exposedPorts({ publish }: ServiceParts): object {
  return Object.fromEntries(publish.map(({ containerPort }) => [`${containerPort}/tcp`, {}]));
}

function portBindings({ publish }: ServiceParts): object {
  const ofPort = ({ containerPort }: PortBinding) =>
    publish
      .filter((one) => one.containerPort === containerPort)
      .map(({ hostAddress, hostPort }) => ({ HostIp: hostAddress, HostPort: String(hostPort) }));
  return Object.fromEntries(publish.map((one) => [`${one.containerPort}/tcp`, ofPort(one)]));
}
