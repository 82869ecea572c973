import { Problem } from '../../../../shared/problems.ts';
import type { Labels } from '../label-set.ts';
import type { NetworkId, NetworkSpec, NetworkSummary } from '../networks.ts';
import type { DockerClient } from './client.ts';
import { labelFilter } from './containers.ts';
import { EngineRefusal, isRefusal, unexpected } from './errors.ts';

export async function createNetwork(
  client: DockerClient,
  spec: NetworkSpec,
  signal?: AbortSignal,
): Promise<NetworkId> {
  const body = {
    Name: spec.name,
    // Older engines allow two networks of one name.
    CheckDuplicate: true,
    Driver: 'bridge',
    EnableIPv6: false,
    Labels: spec.labels,
    IPAM: { Driver: 'default', Config: [{ Subnet: spec.subnet }] },
    Options: {
      'com.docker.network.bridge.name': spec.interfaceName,
      'com.docker.network.bridge.enable_icc': 'false',
      'com.docker.network.bridge.enable_ip_masquerade': String(spec.masquerade ?? true),
    },
  };
  try {
    const answer = await client.call<{ Id: string }>({
      method: 'POST',
      path: '/networks/create',
      body,
      signal,
    });
    return answer.Id;
  } catch (error) {
    if (error instanceof EngineRefusal && /already exists|overlap/i.test(error.message))
      throw new Problem(
        'conflict',
        `The network ${spec.name} cannot be made: its name or its addresses are taken.`,
        {
          cause: error,
        },
      );
    throw unexpected(error, 'create the network');
  }
}

export async function removeNetwork(
  client: DockerClient,
  idOrName: string,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await client.call({ method: 'DELETE', path: `/networks/${encodeURIComponent(idOrName)}`, signal });
  } catch (error) {
    if (!isRefusal(error, 404)) throw unexpected(error, 'remove the network');
  }
}

type NetworkAnswer = {
  Id: string;
  Name: string;
  Labels: Labels | null;
  Created: string;
  IPAM?: { Config?: { Subnet?: string }[] | null };
};

const summary = (one: NetworkAnswer): NetworkSummary => ({
  id: one.Id,
  name: one.Name,
  labels: one.Labels ?? {},
  createdAt: one.Created,
  subnet: one.IPAM?.Config?.[0]?.Subnet ?? null,
});

export async function inspectNetwork(
  client: DockerClient,
  idOrName: string,
  signal?: AbortSignal,
): Promise<NetworkSummary | null> {
  try {
    const path = `/networks/${encodeURIComponent(idOrName)}`;
    return summary(await client.call<NetworkAnswer>({ method: 'GET', path, signal }));
  } catch (error) {
    if (isRefusal(error, 404)) return null;
    throw unexpected(error, 'look at the network');
  }
}

export async function listNetworks(
  client: DockerClient,
  labels: Labels,
  signal?: AbortSignal,
): Promise<NetworkSummary[]> {
  try {
    const query = { filters: labelFilter(labels) };
    const found = await client.call<NetworkAnswer[]>({ method: 'GET', path: '/networks', query, signal });
    return found.map(summary);
  } catch (error) {
    throw unexpected(error, 'list networks');
  }
}
