import { randomInt } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import type { PlainService, ServicePlace } from '../../../shared/stores/service-record.ts';
import type { ContainerState, PortBinding } from '../engine/containers.ts';

/** Where a worker publishes ports of services, and by what address others reach that. */
export type Publishing = { host: string; bind: string; from: number; to: number };

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether what is published is reached from this machine alone, where the gateway calls containers by their own addresses. */
function isOnlyHere({ host, bind }: Pick<Publishing, 'host' | 'bind'>): boolean {
  return [host, bind].every((name) => {
    const family = isIP(name);
    return family === 0 ? name === 'localhost' : loopback.check(name, family === 6 ? 'ipv6' : 'ipv4');
  });
}

/**
 * Each port that is called from elsewhere, at a random port of the machine. `port` is for gateways, which ask for a key: it is published
 * only for a gateway on another machine.
 */
export function bindingsFor(
  { port, tcpPorts }: Pick<PlainService, 'port' | 'tcpPorts'>,
  publish: Publishing,
): PortBinding[] {
  const forGateways = port === undefined || isOnlyHere(publish) ? [] : [port];
  const ports = [...new Set([...forGateways, ...tcpPorts])];
  const taken = new Set<number>();
  return ports.map((containerPort) => {
    let hostPort = randomInt(publish.from, publish.to + 1);
    while (taken.has(hostPort)) hostPort = randomInt(publish.from, publish.to + 1);
    taken.add(hostPort);
    return { containerPort, hostAddress: publish.bind, hostPort };
  });
}

/** Where a running container is reached. @param netns this worker's network namespace */
export function placeOf(
  { networks, ports }: ContainerState,
  { host, netns }: Pick<ServicePlace, 'host' | 'netns'>,
): ServicePlace {
  return {
    netns,
    address: networks[0]?.address ?? '',
    host,
    ports: Object.fromEntries(ports.map(({ containerPort, hostPort }) => [containerPort, hostPort])),
  };
}
