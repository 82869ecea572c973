import ipaddr from 'ipaddr.js';
import { addressPolicy, literalOf, plainHost } from '../../../../shared/net/address.ts';
import type { EngineRegistries } from '../../engine/engine.ts';

/** The proxy by which an engine calls this URL; `undefined`: none. */
export type ProxyFor = (url: URL) => string | undefined;

/** By the rules of Go's net/http: this machine itself is called directly, and so is what NO_PROXY names. */
export function proxyFor({ http, https, without }: EngineRegistries['proxy']): ProxyFor {
  const exceptions = without
    .split(',')
    .map((one) => one.trim().toLowerCase())
    .filter((one) => one !== '');
  return (url) => {
    const proxy = url.protocol === 'https:' ? https : http;
    const host = plainHost(url.hostname);
    if (proxy === '' || isThisMachine(host)) return undefined;
    if (exceptions.some((one) => matches(one, host, url.port))) return undefined;
    return proxy.includes('://') ? proxy : `http://${proxy}`;
  };
}

function isThisMachine(host: string): boolean {
  const address = literalOf(host);
  return host === 'localhost' || (address !== undefined && ipaddr.parse(address).range() === 'loopback');
}

/** `*`, `corp.example` and what is below it, `.corp.example`, `10.0.0.0/8`, `10.0.0.7`, each with a port where it has one. */
function matches(exception: string, host: string, port: string): boolean {
  if (exception === '*') return true;
  const [, name = exception, wanted = ''] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(exception) ?? [];
  if (wanted !== '' && wanted !== port) return false;
  const address = literalOf(host);
  if (address !== undefined) return namesAddress(name, address);
  const suffix = name.replace(/^\*?\.?/, '.');
  return host.endsWith(suffix) || (!/^\*?\./.test(name) && host === name);
}

function namesAddress(range: string, address: string): boolean {
  try {
    return addressPolicy([range]).names('', address);
  } catch {
    return false;
  }
}
