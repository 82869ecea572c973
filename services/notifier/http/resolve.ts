import { lookup, Resolver } from 'node:dns/promises';
import type { AddressPolicy } from '../../../shared/webhooks/address.ts';
import { literalOf, plainHost } from '../../../shared/webhooks/address.ts';
import { blockedMessage } from '../../../shared/webhooks/target.ts';
import { TryFailed } from './try-failed.ts';

export type Address = { address: string; family: 4 | 6 };

/** All addresses of a host's name. Rejects when it has none. */
export type LookUp = (host: string) => Promise<Address[]>;

/** The machine's own resolver, with its hosts file; or, with `servers`, those. */
export function lookUpBy(servers: string[]): LookUp {
  if (servers.length === 0)
    return async (host) => {
      const found = await lookup(host, { all: true, order: 'verbatim' });
      return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
    };
  return async (host) => {
    // One for each look-up: what hangs with one server holds up no other name.
    const resolver = new Resolver({ timeout: 2_000, tries: 2 });
    resolver.setServers(servers);
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const found = [
      ...(v4.status === 'fulfilled' ? v4.value.map((address) => ({ address, family: 4 as const })) : []),
      ...(v6.status === 'fulfilled' ? v6.value.map((address) => ({ address, family: 6 as const })) : []),
    ];
    if (found.length === 0 && v4.status === 'rejected') throw v4.reason;
    return found;
  };
}

/**
 * The addresses that may be connected to for this URL, and no others: each is checked here, and the connection is made to what
 * this answers, so that a name which answers otherwise the next moment (DNS rebinding) gains nothing. One address that is
 * not allowed refuses them all: no honest receiver has a private address beside a public one.
 *
 * @throws TryFailed
 */
export async function checkedAddresses(url: URL, lookUp: LookUp, policy: AddressPolicy): Promise<Address[]> {
  const host = plainHost(url.hostname);
  const literal = literalOf(url.hostname);
  const addresses =
    literal === undefined
      ? await lookUp(host).catch((error: NodeJS.ErrnoException) => {
          throw new TryFailed('dns_failed', `${host} could not be resolved (${error.code ?? error.message})`);
        })
      : [{ address: literal, family: literal.includes(':') ? (6 as const) : (4 as const) }];
  if (addresses.length === 0) throw new TryFailed('dns_failed', `${host} has no address`);
  const refused = addresses.find(({ address }) => !policy.allows(host, address));
  if (refused !== undefined)
    throw new TryFailed(
      'blocked_address',
      blockedMessage(literal === undefined ? `${host} (${refused.address})` : refused.address),
    );
  return addresses;
}
