import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ReturnType<typeof ipaddr.process>;
type Range = [Address, number];

/** The addresses that an operator allows in addition to global ones: `RUNLET_WEBHOOK_ALLOW`, `RUNLET_REGISTRY_ALLOW`. */
export type AddressPolicy = {
  /** True if this host may have any address, or if this address is global or in an allowed range. */
  allows(host: string, address: string): boolean;
  /** True if the operator has named this host, or a range that contains this address. */
  names(host: string, address?: string): boolean;
};

/** @param entries host names (`hooks.internal`, `*.internal`), addresses, or CIDRs. Throws if an entry is none of these. */
export function addressPolicy(entries: string[]): AddressPolicy {
  const ranges: Range[] = [];
  const hosts = new Set<string>();
  const suffixes: string[] = [];
  for (const entry of entries) {
    const name = plainHost(entry);
    const range = rangeOf(name);
    if (range !== undefined) ranges.push(range);
    else if (!isName(name.replace(/^\*\./, '')))
      throw new Error(`"${entry}" is neither a host, nor an address, nor a CIDR`);
    else if (name.startsWith('*.')) suffixes.push(name.slice(1));
    else hosts.add(name);
  }
  const names: AddressPolicy['names'] = (host, address) => {
    const name = plainHost(host);
    if (hosts.has(name) || suffixes.some((suffix) => name.endsWith(suffix))) return true;
    const one = address === undefined ? undefined : parse(address);
    return one !== undefined && ranges.some((range) => within(one, range));
  };
  return { names, allows: (host, address) => isGlobal(address) || names(host, address) };
}

/**
 * True for an address that belongs to a host on the public internet. IPv6: only the global unicast space 2000::/3 (RFC 4291
 * §2.4). Excluded from it are addresses that contain an IPv4 address (6to4, Teredo; NAT64 is outside of this space anyway) and
 * addresses with a special purpose (RFC 6890 and the IANA registries).
 */
export function isGlobal(address: string): boolean {
  const one = parse(address);
  if (one === undefined || one.range() !== 'unicast' || within(one, azureHost)) return false;
  return one.kind() === 'ipv4' || within(one, globalUnicast);
}

/** The address, if a URL's host is one. `undefined` if the host is a name. */
export function literalOf(hostname: string): string | undefined {
  const text = bare(hostname);
  return parse(text) === undefined ? undefined : text;
}

/** Removes the brackets of IPv6, and the dot at the end that makes a name absolute: `localhost.` is localhost. */
export const plainHost = (host: string) => bare(host.toLowerCase()).replace(/\.+$/, '');

/** RFC 6761 §6.3: these names mean loopback, whatever a resolver answers. */
export const isLocalName = (host: string) => host === 'localhost' || host.endsWith('.localhost');

const globalUnicast: Range = [ipaddr.IPv6.parse('2000::'), 3];
/** Azure's metadata service and agents answer every virtual machine at this address, although it is in the public space. */
const azureHost: Range = [ipaddr.IPv4.parse('168.63.129.16'), 32];
const bare = (host: string) => host.replace(/^\[|\]$/g, '');

/**
 * Parses an address in its usual spelling. An IPv4-mapped IPv6 address becomes the IPv4 address. An address with a zone is
 * refused: it belongs to this machine. ipaddr.js alone is not enough: it reads `010.0.0.1` as the C library does, and it takes
 * `::8.8.8.8` for `::ffff:8.8.8.8`, which is another address.
 */
function parse(text: string): Address | undefined {
  if (isIPv4(text)) return ipaddr.IPv4.parse(text);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const one = ipaddr.IPv6.parse(
    text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => `${pair(a, b)}:${pair(c, d)}`),
  );
  return one.isIPv4MappedAddress() ? one.toIPv4Address() : one;
}

const pair = (high: string, low: string) => (Number(high) * 256 + Number(low)).toString(16);

/** Parses `10.0.0.1` or `10.0.0.0/8`. `::ffff:10.0.0.0/104` means the same as `10.0.0.0/8`. */
function rangeOf(entry: string): Range | undefined {
  const [, text = '', bits] = /^(.+?)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
  const base = parse(text);
  if (base === undefined) return undefined;
  const size = base.kind() === 'ipv4' ? 32 : 128;
  const prefix = bits === undefined ? size : Number(bits) - (isIPv6(text) ? 128 - size : 0);
  return prefix >= 0 && prefix <= size ? [base, prefix] : undefined;
}

/** A host name. Its last part must not be a number: then it would be an address in an unusual spelling. */
const isName = (text: string) =>
  /^[a-z0-9_]([a-z0-9_-]|\.(?=[a-z0-9_]))*$/.test(text) && !/(^|\.)(\d+|0x[0-9a-f]*)$/.test(text);

function within(address: Address, [base, bits]: Range): boolean {
  return address.kind() === base.kind() && (address as ipaddr.IPv6).match(base as ipaddr.IPv6, bits);
}
