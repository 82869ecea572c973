import { plainHost } from '../../../../shared/net/address.ts';
import { type Address, addressOf, type LookUp } from '../../../../shared/net/look-up.ts';
import { impliedAddress, notPublic, type RegistryPolicy } from '../../../../shared/registries/policy.ts';
import type { EngineRegistries } from '../../engine/engine.ts';
import { type ProxyFor, proxyFor } from './proxy.ts';

/** A place to which an engine must not be sent. The message continues a sentence that begins with the registry. */
export class Forbidden extends Error {
  override readonly name = 'Forbidden';
}

/** A place that could not be asked, so that it is not known where it leads. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
  readonly place: URL;

  constructor(place: URL, why: string) {
    super(`${place.host} ${why}`);
    this.place = place;
  }
}

/** How a place is called: at these addresses and no others, or by a proxy, which looks the name up itself. */
export type Way = { addresses: Address[] } | { proxy: string };

/** A name may have thousands of addresses; it is reached at one of so many, or not at all. */
const maxAddresses = 16;

export type Places = (url: URL) => Promise<Way>;

/**
 * Looks up where URLs lead, once each. Every address of a name is checked, and one that is not allowed refuses them all.
 * Throws Forbidden or Unreachable.
 */
export function placesFor(
  policy: RegistryPolicy,
  lookUp: LookUp,
  proxies: EngineRegistries['proxy'],
): Places {
  const proxyOf: ProxyFor = proxyFor(proxies);
  const known = new Map<string, Promise<Way>>();
  return (url) => {
    const key = url.origin;
    const way = known.get(key) ?? look(url);
    known.set(key, way);
    return way;
  };

  async function look(url: URL): Promise<Way> {
    const host = plainHost(url.hostname);
    const port = portOf(url);
    const allowed = (address: string) => policy.allows(host, port, address);
    const refuse = () => new Forbidden(`leads to ${url.host}: ${notPublic}`);
    const address = impliedAddress(url.hostname);
    if (address !== undefined) {
      if (!allowed(address)) throw refuse();
      const proxy = proxyOf(url);
      return proxy === undefined ? { addresses: [addressOf(address)] } : { proxy };
    }
    if (!policy.port(port) && !policy.names(host, port)) throw refuse();
    const proxy = proxyOf(url);
    const found = await lookUp(host).catch(() => []);
    if (found.some((one) => !allowed(one.address))) throw refuse();
    // Behind a proxy this machine may be unable to look up public names.
    if (proxy !== undefined) return { proxy };
    if (found.length === 0) throw new Unreachable(url, 'has no address');
    return { addresses: found.slice(0, maxAddresses) };
  }
}

export const portOf = (url: URL): number => Number(url.port || (url.protocol === 'https:' ? 443 : 80));

/**
 * A URL to which a registry sends a client. What URL parsers read in different ways (backslashes, user names, spaces, no "//", zones of
 * IPv6) is refused, so that the engine's parser cannot find another host in it. `undefined` for a URL that is not HTTP. Throws Forbidden.
 */
export function ledTo(text: string, base?: URL): URL | undefined {
  const url = URL.parse(text, base?.href);
  const isWeb = url === null ? base !== undefined || /^https?:/i.test(text) : /^https?:$/.test(url.protocol);
  if (!isWeb) return undefined;
  const isPlain = /^[\x21-\x5b\x5d-\x7e]*$/.test(text) && !/^[a-z][a-z0-9+.-]*:(?!\/\/[^/])/i.test(text);
  if (url === null || !isPlain || url.username !== '' || url.password !== '')
    throw new Forbidden('leads to an address that is no plain URL');
  return url;
}
