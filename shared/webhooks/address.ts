import ipaddr from 'ipaddr.js';

type Address = ReturnType<typeof ipaddr.process>;
type Range = [Address, number];

/** What an operator lets webhooks reach beside the global addresses: `RUNLET_WEBHOOK_ALLOW`. */
export type AddressPolicy = {
  /** Whether this host may have any address, or this address is in an allowed range. */
  allows(host: string, address: string): boolean;
};

/** @param entries host names (`hooks.internal`, `*.internal`), addresses, or CIDRs. Throws on one that is neither. */
export function addressPolicy(entries: string[]): AddressPolicy {
  const ranges: Range[] = [];
  const hosts = new Set<string>();
  const suffixes: string[] = [];
  for (const entry of entries.map((one) => one.toLowerCase())) {
    if (ipaddr.isValidCIDR(entry)) ranges.push(unmapped(ipaddr.parseCIDR(entry) as Range));
    else if (isAddress(entry)) ranges.push(whole(ipaddr.process(bare(entry))));
    else if (/^\*\.[a-z0-9_.-]+$/.test(entry)) suffixes.push(entry.slice(1));
    else if (/^[a-z0-9_][a-z0-9_.-]*$/.test(entry)) hosts.add(entry);
    else throw new Error(`"${entry}" is neither a host, nor an address, nor a CIDR`);
  }
  return {
    allows(host, address) {
      const name = plainHost(host);
      if (hosts.has(name) || suffixes.some((suffix) => name.endsWith(suffix))) return true;
      if (!ipaddr.isValid(address)) return false;
      const one = ipaddr.process(address);
      return isGlobal(address) || ranges.some((range) => within(one, range));
    },
  };
}

/**
 * True for an address that belongs to a host on the public internet. IPv6: only the global unicast space 2000::/3
 * (RFC 4291 §2.4), and of it nothing that carries an IPv4 address inside (6to4, Teredo; NAT64 lies outside of it anyway) or
 * has a special purpose (RFC 6890 and the IANA registries).
 */
export function isGlobal(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const one = ipaddr.process(address);
  if (one.range() !== 'unicast') return false;
  return one.kind() === 'ipv4' || within(one, globalUnicast);
}

/** The address that a URL's host is; `undefined` for a name. */
export function literalOf(hostname: string): string | undefined {
  return isAddress(hostname) ? bare(hostname) : undefined;
}

/** Without the brackets of IPv6, and without the dot that makes a name absolute: `localhost.` is localhost. */
export const plainHost = (host: string) => bare(host.toLowerCase()).replace(/\.+$/, '');

const globalUnicast = ipaddr.parseCIDR('2000::/3') as Range;
const bare = (host: string) => host.replace(/^\[|\]$/g, '');
const isAddress = (text: string) =>
  ipaddr.isValid(bare(text)) && /^[0-9a-f:.[\]]+$/i.test(text) && /[.:]/.test(text);
const whole = (address: Address): Range => [address, address.kind() === 'ipv4' ? 32 : 128];

function within(address: Address, [base, bits]: Range): boolean {
  return address.kind() === base.kind() && (address as ipaddr.IPv6).match(base as ipaddr.IPv6, bits);
}

/** `::ffff:10.0.0.0/104` is `10.0.0.0/8`. */
function unmapped([base, bits]: Range): Range {
  const mapped = base.kind() === 'ipv6' && (base as ipaddr.IPv6).isIPv4MappedAddress() && bits >= 96;
  return mapped ? [(base as ipaddr.IPv6).toIPv4Address(), bits - 96] : [base, bits];
}
