import type { ContainerId, ContainerState, DiskPlaces } from '../containers.ts';
import type { Labels } from '../label-set.ts';
import type { DockerClient } from './client.ts';
import { isRefusal, unexpected } from './errors.ts';
import { quotaIn } from './quota-options.ts';
import { volumeQuota } from './volume-quota.ts';

type InspectAnswer = {
  Id: string;
  Name: string;
  Image: string;
  SizeRw?: number;
  GraphDriver?: { Data?: { UpperDir?: string } | null } | null;
  HostnamePath?: string;
  HostsPath?: string;
  ResolvConfPath?: string;
  Mounts?: { Type: string; Name?: string; Source: string; Destination: string; RW: boolean }[];
  HostConfig?: { StorageOpt?: Record<string, string> | null };
  State: {
    Pid: number;
    Status: ContainerState['status'];
    Running: boolean;
    ExitCode: number;
    OOMKilled: boolean;
    Error: string;
    StartedAt: string;
    FinishedAt: string;
  };
  Config: { Labels: Labels | null };
  NetworkSettings?: {
    Networks?: Record<string, { IPAddress?: string }> | null;
    Ports?: Record<string, { HostIp: string; HostPort: string }[] | null> | null;
  };
};

export async function inspectContainer(
  client: DockerClient,
  idOrName: string,
  signal?: AbortSignal,
): Promise<ContainerState | null> {
  const answer = await inspectRaw(client, idOrName, false, signal);
  if (answer === null) return null;
  const { State: state } = answer;
  return {
    id: answer.Id,
    name: answer.Name.replace(/^\//, ''),
    status: state.Status,
    running: state.Running,
    exitCode: state.ExitCode,
    oomKilled: state.OOMKilled,
    error: state.Error,
    labels: answer.Config.Labels ?? {},
    image: answer.Image,
    startedAt: timeOrNull(state.StartedAt),
    finishedAt: timeOrNull(state.FinishedAt),
    networks: networksIn(answer),
    ports: portsIn(answer),
  };
}

/** Its first process, by the number that the engine's machine has for it; 0: there is none. */
export async function containerPid(client: DockerClient, id: ContainerId): Promise<number> {
  return (await inspectRaw(client, id, false))?.State.Pid ?? 0;
}

export async function containerSize(
  client: DockerClient,
  id: ContainerId,
  signal?: AbortSignal,
): Promise<number | null> {
  const answer = await inspectRaw(client, id, true, signal);
  return answer === null ? null : (answer.SizeRw ?? 0);
}

export async function diskPlaces(
  client: DockerClient,
  id: ContainerId,
  signal?: AbortSignal,
): Promise<DiskPlaces | null> {
  const answer = await inspectRaw(client, id, false, signal);
  if (answer === null) return null;
  const { GraphDriver: driver, Mounts: mounts = [] } = answer;
  const own: [string | undefined, string][] = [
    [answer.HostnamePath, '/etc/hostname'],
    [answer.HostsPath, '/etc/hosts'],
    [answer.ResolvConfPath, '/etc/resolv.conf'],
  ];
  const written = mounts.filter(({ RW, Type }) => RW && Type === 'volume');
  return {
    pid: answer.State.Pid,
    root: driver?.Data?.UpperDir ?? null,
    rootQuota: quotaIn(answer.HostConfig?.StorageOpt),
    // Without a network a container has none of them, and the engine may name what is not there.
    files: own.flatMap(([source, path]) => (source ? [{ source, path }] : [])),
    volumes: await Promise.all(
      written.map(async ({ Name, Source, Destination }) => ({
        folder: Source,
        path: Destination,
        quota: Name === undefined ? null : await volumeQuota(client, Name, signal),
      })),
    ),
  };
}

async function inspectRaw(
  client: DockerClient,
  idOrName: string,
  size: boolean,
  signal?: AbortSignal,
): Promise<InspectAnswer | null> {
  try {
    const path = `/containers/${encodeURIComponent(idOrName)}/json`;
    return await client.call<InspectAnswer>({ method: 'GET', path, query: size ? { size: 1 } : {}, signal });
  } catch (error) {
    if (isRefusal(error, 404)) return null;
    throw unexpected(error, 'inspect the container');
  }
}

/** Times that never were come as year 1. */
export function timeOrNull(time: string | undefined): string | null {
  return time === undefined || time === '' || time.startsWith('0001-') ? null : time;
}

/** A network that it is not connected to at the moment comes without an address. */
function networksIn({ NetworkSettings: settings }: InspectAnswer): ContainerState['networks'] {
  return Object.entries(settings?.Networks ?? {}).flatMap(([name, { IPAddress: address }]) =>
    address ? [{ name, address }] : [],
  );
}

/** As in `{"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "49153"}], "443/tcp": null}`. */
function portsIn({ NetworkSettings: settings }: InspectAnswer): ContainerState['ports'] {
  return Object.entries(settings?.Ports ?? {}).flatMap(([port, bindings]) =>
    port.endsWith('/tcp')
      ? (bindings ?? []).map(({ HostIp, HostPort }) => ({
          containerPort: Number.parseInt(port, 10),
          hostAddress: HostIp,
          hostPort: Number(HostPort),
        }))
      : [],
  );
}
