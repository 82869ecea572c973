import { existsSync, readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { dotted, rangeOf } from './addresses.ts';

/** A route of this machine, and the addresses that it leads to. `direct`: without a gateway in between. */
type Route = { interfaceName: string; direct: boolean; first: number; last: number };

/**
 * Whether a subnet as in `10.213.4.8/29` is somebody's already, of the Engine, of another Runlet or of anybody: a route leads to a part of
 * it, or it is a part of a bridge’s network. (A wider route that leads elsewhere, as to a VPN, is no obstacle: the narrower one holds.)
 */
export function isUsed(subnet: string): boolean {
  const { first, last } = rangeOf(subnet);
  return routes().some((route) => {
    if (route.last < first || route.first > last) return false;
    const isWithin = route.first >= first && route.last <= last;
    return isWithin || (route.direct && existsSync(`/sys/class/net/${route.interfaceName}/bridge`));
  });
}

/** The interfaces that a route to just this subnet leads to. */
export function interfacesOf(subnet: string): string[] {
  const { first, last } = rangeOf(subnet);
  return routes().flatMap((route) =>
    route.first === first && route.last === last ? [route.interfaceName] : [],
  );
}

/** The subnet that a route to this interface leads to; `null`: there is none. */
export function subnetOf(interfaceName: string): string | null {
  const route = routes().find((one) => one.interfaceName === interfaceName);
  if (route === undefined) return null;
  return `${dotted(route.first)}/${32 - Math.log2(route.last - route.first + 1)}`;
}

/** It also lists a network whose bridge has no container yet, which Node's `networkInterfaces` does not. */
function routes(): Route[] {
  const [, ...lines] = readFileSync('/proc/net/route', 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const [interfaceName = '', destination = '', gateway = '', , , , , mask = ''] = line.split('\t');
    const first = asInKernel(destination);
    const direct = asInKernel(gateway) === 0;
    return { interfaceName, direct, first, last: first + (2 ** 32 - 1 - asInKernel(mask)) };
  });
}

/** The kernel prints an address as a number of its own byte order. */
function asInKernel(hex: string): number {
  const bytes = Buffer.from(hex, 'hex');
  return endianness() === 'LE' ? bytes.readUInt32LE() : bytes.readUInt32BE();
}
