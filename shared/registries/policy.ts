import { defaultRegistry, imageIdIn, parseImageReference } from '../images.ts';
import { type AddressPolicy, addressPolicy, isLocalName, literalOf, plainHost } from '../net/address.ts';
import { portPolicy } from '../net/ports.ts';

/**
 * Which registries an image's name may lead to: those at public addresses, and those that the operator names
 * (`RUNLET_REGISTRY_ALLOW`, `RUNLET_REGISTRIES`).
 */
export type RegistryPolicy = {
  /** True if the operator has named this host or its address, with this port or without a port. */
  names(host: string, port: number, address?: string): boolean;
  /** True if the host may be called at this address. */
  allows(host: string, port: number, address: string): boolean;
  /** True if this port of a public address may be called. */
  port(port: number): boolean;
};

/** The same as for webhooks: below 1024 only the ports of HTTP, so that no mail or SSH server is called. */
const publicPorts = portPolicy('80,443,1024-65535');

/**
 * @param entries hosts (`registry.internal`, `*.internal`), addresses or CIDRs, which count for any port; or `host:port` for
 * this port only. Throws if an entry is none of these.
 */
export function registryPolicy(entries: string[]): RegistryPolicy {
  const anyPort: string[] = [];
  const byPort = new Map<number, string[]>();
  for (const entry of entries) {
    const { host, port } = splitPort(entry);
    if (port === undefined) anyPort.push(host);
    else byPort.set(port, [...(byPort.get(port) ?? []), host]);
  }
  const everywhere = addressPolicy(anyPort);
  const there = new Map<number, AddressPolicy>(
    [...byPort].map(([port, hosts]) => [port, addressPolicy(hosts)]),
  );
  const names: RegistryPolicy['names'] = (host, port, address = impliedAddress(host)) =>
    everywhere.names(host, address) || there.get(port)?.names(host, address) === true;
  return {
    names,
    allows: (host, port, address) =>
      (publicPorts(port) && everywhere.allows(host, address)) || names(host, port, address),
    port: publicPorts,
  };
}

/** The valid ones of these entries. Names of registries come from other settings, and may be any text. */
export const validEntries = (entries: string[]): string[] => entries.filter(isEntry);

function isEntry(entry: string): boolean {
  try {
    registryPolicy([entry]);
    return true;
  } catch {
    return false;
  }
}

/** `registry.internal:5000`, `[fd00::1]:5000`; `fd00::1` has no port. */
function splitPort(entry: string): { host: string; port?: number } {
  const [, host = entry, digits] = /^(\[[^\]]+\]|[^:[\]]+):(\d{1,5})$/.exec(entry) ?? [];
  if (digits === undefined) return { host };
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw new Error(`"${entry}" has no port that there is`);
  return { host, port };
}

/** The address if the host is an address, or is a name of this machine. `undefined` for a name that must be looked up. */
export const impliedAddress = (host: string): string | undefined =>
  literalOf(host) ?? (isLocalName(plainHost(host)) ? '127.0.0.1' : undefined);

/**
 * Why the registry in an image's name is not called. `undefined`: no fault can be found without asking a resolver. The default
 * public registry is always called: a user who names an image cannot choose the address of that registry.
 */
export function registryAddressFault(registry: string, policy: RegistryPolicy): string | undefined {
  if (registry === defaultRegistry) return undefined;
  const url = URL.parse(`https://${registry}/`);
  const port = Number(url?.port || 443);
  if (url === null || port === 0) return `comes from ${registry}, which is no host and port to call`;
  const host = plainHost(url.hostname);
  // A registry without a port is called at 443. If the engine has it as an insecure registry, it is also called at 80.
  if (policy.names(host, port) || (url.port === '' && policy.names(host, 80))) return undefined;
  const address = impliedAddress(url.hostname);
  if (address !== undefined ? policy.allows(host, port, address) : policy.port(port)) return undefined;
  return policy.port(port)
    ? `comes from ${registry}: ${notPublic}`
    : `comes from ${registry}, and port ${port} is no registry’s: ${allowIt}`;
}

/** What the operator of this Runlet allows in addition to public addresses. */
export const operatorEntries = (env: {
  RUNLET_REGISTRY_ALLOW: string[];
  RUNLET_REGISTRIES: string[];
}): string[] => [...env.RUNLET_REGISTRY_ALLOW, ...validEntries(env.RUNLET_REGISTRIES)];

/**
 * Why the operator does not allow the registry of an image (`RUNLET_REGISTRIES`). `registries`: the allowed ones; empty: all
 * are allowed.
 */
export function registryFault(image: string, registries: string[]): string | undefined {
  if (registries.length === 0) return undefined;
  const allowed = `the operator allows ${registries.join(', ')}`;
  // An engine may read this name as an image's id. Such an image may have come from any registry.
  if (imageIdIn(image) !== undefined)
    return `may be an image’s id, which does not say what registry it came from, and ${allowed}: name it by its reference, with a tag`;
  const registry = parseImageReference(image)?.registry;
  if (registry === undefined || registries.includes(registry)) return undefined;
  return `comes from ${registry}; ${allowed}`;
}

const allowIt = 'the operator can allow it (RUNLET_REGISTRY_ALLOW)';

export const notPublic =
  'images are not fetched from loopback, private or other non-global addresses, unless the operator allows it (RUNLET_REGISTRY_ALLOW)';
