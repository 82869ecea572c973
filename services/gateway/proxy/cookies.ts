import { tokenName } from '../services/signed-url.ts';

/** RFC 6265 §5.2: name and value, and the attributes behind them, as they stand between the semicolons. */
function partsOf(cookie: string): {
  pair: string;
  attributes: { name: string; value: string; text: string }[];
} {
  const [pair = '', ...rest] = cookie.split(';');
  const attributes = rest.map((text) => {
    const [name = '', value = ''] = text.split(/=(.*)/s).map((part) => part.trim());
    return { name: name.toLowerCase(), value, text };
  });
  return { pair, attributes };
}

/** Whether it would be taken for our cookie when it comes back. Browsers send a cookie without a name as its value alone. */
const isOurs = (pair: string) => new RegExp(`^\\s*=?\\s*${tokenName}\\s*(?:=|$)`, 'i').test(pair);

/** For a service that shares its origin: no domain, and a path below the prefix. `undefined`: the cookie is dropped. */
export function cookieBelow(cookie: string, prefix: string): string | undefined {
  const { pair, attributes } = partsOf(cookie);
  if (isOurs(pair)) return undefined;
  const path = attributes.findLast(({ name }) => name === 'path')?.value;
  const kept = attributes.filter(({ name }) => name !== 'path' && name !== 'domain');
  const own = path?.startsWith('/') ? path : '/';
  const below = own === prefix || own.startsWith(`${prefix}/`) ? own : prefix + own;
  return [pair, ...kept.map(({ text }) => text), ` Path=${below}`].join(';');
}

/**
 * For a service with a host of its own: only for that host. A domain above it would send the cookie to every service there, and to the API;
 * the host itself as domain, to the tenant of that name. Browsers refuse any other domain from this host: those stay.
 */
export function cookieOfHost(cookie: string, host: string): string | undefined {
  const { pair, attributes } = partsOf(cookie);
  if (isOurs(pair)) return undefined;
  const here = host.toLowerCase().replace(/\.?(?::\d*)?$/, '');
  const reaches = (domain: string) => here === domain || here.endsWith(`.${domain}`);
  const kept = attributes.filter(
    ({ name, value }) => name !== 'domain' || !reaches(value.toLowerCase().replace(/^\.|\.$/g, '')),
  );
  return [pair, ...kept.map(({ text }) => text)].join(';');
}
