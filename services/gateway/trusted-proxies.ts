import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Whether a peer is a proxy that the operator vouches for (RUNLET_TRUSTED_PROXIES): what it says of its client is believed. */
export type Trusts = (address: string) => boolean;

/** @param entries addresses or CIDRs. Throws what is wrong with the first that is neither, without saying it. */
export function trustedProxies(entries: readonly string[]): Trusts {
  const ranges = entries.map(rangeOf);
  if (ranges.length === 0) return () => false;
  // A proxy keeps its connections, and has few addresses.
  let last = { address: '', trusted: false };
  return (address) => {
    if (last.address !== address) {
      const one = addressIn(address);
      last = { address, trusted: one !== undefined && ranges.some((range) => within(one, range)) };
    }
    return last.trusted;
  };
}

/**
 * One that IPv6 maps is the IPv4 address it is (RFC 4291 §2.5.5.2). Not by ipaddr.js alone, which takes `10.1` and `010.0.0.1` as the C
 * library does: what an operator means by them is not for us to guess.
 */
function addressIn(text: string): Address | undefined {
  const plain = text.replace(/%.*$/, '');
  return isIPv4(plain) || isIPv6(plain) ? ipaddr.process(plain) : undefined;
}

function rangeOf(entry: string): [Address, number] {
  const [, text = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
  const base = text.includes('%') ? undefined : addressIn(text);
  if (base === undefined) throw new Error('is neither an address nor a CIDR');
  const size = base.kind() === 'ipv4' ? 32 : 128;
  // `::ffff:10.0.0.0/104` is 10.0.0.0/8.
  const prefix = bits === undefined ? size : Number(bits) - (isIPv6(text) ? 128 - size : 0);
  if (prefix < 0 || prefix > size) throw new Error(`has a prefix over ${size} bits, or none that fits`);
  return [base, prefix];
}

function within(address: Address, [base, bits]: [Address, number]): boolean {
  return address.kind() === base.kind() && (address as ipaddr.IPv6).match(base as ipaddr.IPv6, bits);
}
