import { BlockList, isIP } from 'node:net';

/** Where a worker publishes ports of services, and by what address others reach that. */
export type Publishing = { host: string; bind: string; from: number; to: number };

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether what is published is reached from this machine alone, where the gateway calls containers by their own addresses. */
export function isOnlyHere({ host, bind }: Pick<Publishing, 'host' | 'bind'>): boolean {
  return [host, bind].every((name) => {
    const family = isIP(name);
    return family === 0 ? name === 'localhost' : loopback.check(name, family === 6 ? 'ipv6' : 'ipv4');
  });
}
