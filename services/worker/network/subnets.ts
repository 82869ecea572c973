import { randomInt } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { dotted, numberOf } from './addresses.ts';

/** Outside of Docker's default pools (172.17.0.0/12, 192.168.0.0/16), and used by few sites. */
export const defaultEgressPool = '10.213.0.0/16';

/** 8 addresses: enough for the bridge and one container. */
const subnetBits = 29;

export type SubnetPool = {
  /** The whole of it, as in `10.213.0.0/16`. */
  range: string;
  /** A random subnet of the pool, as in `10.213.4.8/29`: so several workers on one engine need no shared list of those in use. */
  pick(): string;
};

/** Throws an Error when the pool is no IPv4 CIDR that holds at least one /29. */
export function subnetPool(cidr: string): SubnetPool {
  const [address = '', prefix = ''] = cidr.split('/');
  const bits = Number(prefix);
  if (!isIPv4(address) || !/^\d{1,2}$/.test(prefix) || bits < 8 || bits > subnetBits)
    throw new Error(
      `The egress pool "${cidr}" is not an IPv4 range from /8 to /${subnetBits}, as in ${defaultEgressPool}`,
    );
  const size = 2 ** (32 - bits);
  const asNumber = numberOf(address);
  const first = asNumber - (asNumber % size);
  const step = 2 ** (32 - subnetBits);
  return {
    range: `${dotted(first)}/${bits}`,
    pick: () => `${dotted(first + randomInt(size / step) * step)}/${subnetBits}`,
  };
}
