import { defaultRegistry } from '../images.ts';
import { type AddressPolicy, addressPolicy, isLocalName, literalOf, plainHost } from '../net/address.ts';
import { portPolicy } from '../net/ports.ts';

/** Whom an image's name may lead to: public addresses, and what the operator names (`RUNLET_REGISTRY_ALLOW`, `RUNLET_REGISTRIES`). */
export type RegistryPolicy = {
  /** Whether the operator vouches for this host at this port: by name, by its address, or by both with the port. */
  names(host: string, port: number, address?: string): boolean;
  /** Whether it may be called at this address. */
  allows(host: string, port: number, address: string): boolean;
  /** Whether this port of a public address may be called. */
  port(port: number): boolean;
};

/** Below 1024 only the web's, as of webhooks: no mail or SSH server is talked to. */
const publicPorts = portPolicy('80,443,1024-65535');

/**
 * @param entries hosts (`registry.internal`, `*.internal`), addresses or CIDRs, for any port; `host:port` for just that. Throws on what
 * is none of these.
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

/** What of these entries makes sense; for those that are held to no grammar, as registries' names are. */
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

/** The address that a host has without anybody being asked; `undefined` for a name. */
const impliedAddress = (host: string): string | undefined =>
  literalOf(host) ?? (isLocalName(plainHost(host)) ? '127.0.0.1' : undefined);

/**
 * Why a registry, as an image's name has it, is not called; `undefined`: nothing that can be told without asking a resolver. Where the
 * public registry is, nobody chooses who names an image.
 */
export function registryAddressFault(registry: string, policy: RegistryPolicy): string | undefined {
  if (registry === defaultRegistry) return undefined;
  const url = URL.parse(`https://${registry}/`);
  const port = Number(url?.port || 443);
  if (url === null || port === 0) return `comes from ${registry}, which is no host and port to call`;
  const host = plainHost(url.hostname);
  // Without a port it is 443, and 80 where the engine is told that it is insecure.
  if (policy.names(host, port) || (url.port === '' && policy.names(host, 80))) return undefined;
  const address = impliedAddress(url.hostname);
  if (address !== undefined ? policy.allows(host, port, address) : policy.port(port)) return undefined;
  return policy.port(port)
    ? `comes from ${registry}: ${notPublic}`
    : `comes from ${registry}, and port ${port} is no registry’s: ${allowIt}`;
}

const allowIt = 'the operator can allow it (RUNLET_REGISTRY_ALLOW)';

export const notPublic =
  'images are not fetched from loopback, private or other non-global addresses, unless the operator allows it (RUNLET_REGISTRY_ALLOW)';
