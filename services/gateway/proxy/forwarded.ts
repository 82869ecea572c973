import { isIPv6 } from 'node:net';

export type From = {
  /** Of the peer: the client, or the proxy before this one. */
  address: string;
  host: string;
  proto: string;
  prefix: string;
  /** Whether we believe what the peer says of its own client (RUNLET_TRUSTED_PROXIES). */
  trusted: boolean;
};

/** RFC 7239 §4: `token=value` pairs with `;` between, of which elements with `,` between; a value is a token or a quoted string. */
const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const pair = `${token}=(?:${token}|"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t \\x21-\\x7e\\x80-\\xff])*")`;
const element = new RegExp(`[ \\t]*(?:${pair}(?:;(?:${pair})?)*[ \\t]*)?(?:,|$)`, 'y');
const scheme = /^[a-z][a-z0-9+.-]*(?:[ \t]*,[ \t]*[a-z][a-z0-9+.-]*)*$/i;
const ports = /^\d{1,5}(?:[ \t]*,[ \t]*\d{1,5})*$/;
const hosts = /^[\x21-\x2b\x2d-\x7e]+(?:[ \t]*,[ \t]*[\x21-\x2b\x2d-\x7e]+)*$/;
const address = /^[0-9a-f.:[\]%]+$/i;

/**
 * The lines that tell a container of the client, however many proxies are in between. We write them alone, unless a trusted proxy
 * has sent some: then we add to those, and write the others as usual.
 *
 * @param said the fields of this kind in the request: name, value, name, value
 */
export function forwardedLines(from: From, said: readonly string[]): string {
  const told = from.trusted ? together(said) : none;
  const valid = (name: string, form: RegExp) => {
    const value = told[name];
    return value !== undefined && form.test(value) ? value : undefined;
  };
  const before = told['x-forwarded-for'];
  let lines = `X-Forwarded-For: ${before === undefined ? '' : `${before}, `}${from.address}\r\n`;
  lines += `X-Forwarded-Host: ${valid('x-forwarded-host', hosts) ?? from.host}\r\n`;
  lines += `X-Forwarded-Proto: ${valid('x-forwarded-proto', scheme) ?? from.proto}\r\n`;
  if (from.prefix !== '') lines += `X-Forwarded-Prefix: ${from.prefix}\r\n`;
  if (told === none) return lines;
  const port = valid('x-forwarded-port', ports);
  if (port !== undefined) lines += `X-Forwarded-Port: ${port}\r\n`;
  const real = valid('x-real-ip', address);
  if (real !== undefined) lines += `X-Real-IP: ${real}\r\n`;
  const { forwarded } = told;
  if (forwarded !== undefined) lines += `Forwarded: ${addedTo(forwarded, from)}\r\n`;
  return lines;
}

const none: Readonly<Record<string, string | undefined>> = {};

/** Several of one name are one list (RFC 9110 §5.3). */
function together(said: readonly string[]): Readonly<Record<string, string | undefined>> {
  if (said.length === 0) return none;
  const all: Record<string, string> = {};
  for (let i = 0; i < said.length; i += 2) {
    const name = (said[i] as string).toLowerCase();
    const value = said[i + 1] as string;
    if (value !== '') all[name] = all[name] === undefined ? value : `${all[name]}, ${value}`;
  }
  return all;
}

/**
 * RFC 7239 §4. A malformed one is replaced: inside a string that was never closed, our addition would be part of the client's text, and
 * readers disagree about the text before it.
 */
function addedTo(forwarded: string, { address: by, host, proto }: From): string {
  // Colons and brackets must be quoted (§6).
  const node = isIPv6(by) ? `"[${by}]"` : by === '' ? 'unknown' : by;
  if (isForwarded(forwarded)) return `${forwarded}, for=${node}`;
  return `for=${node};host="${host.replace(/["\\]/g, '\\$&')}";proto=${proto}`;
}

function isForwarded(value: string): boolean {
  element.lastIndex = 0;
  while (element.lastIndex < value.length) if (!element.test(value)) return false;
  return true;
}
