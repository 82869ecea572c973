import { isIPv6 } from 'node:net';

const name = /^[a-z0-9._~-]+(?::(\d{0,5}))?$/i;
const literal = /^\[([0-9a-f:.]+)\](?::(\d{0,5}))?$/i;

/**
 * Whether a Host field, or what stands between scheme and path, names one host (RFC 9112 §3.2, RFC 3986 §3.2.2): a name or an address,
 * maybe with a port. Stricter than the grammar, which allows `a,b` as a name: no client asks for that, but two Host fields that were joined look like it.
 */
export function isAuthority(text: string): boolean {
  const [, port] = name.exec(text) ?? [];
  if (name.test(text)) return isPort(port);
  const [, address = '', portBehind] = literal.exec(text) ?? [];
  return isIPv6(address) && isPort(portBehind);
}

const isPort = (port: string | undefined) => port === undefined || Number(port) <= 65_535;
