import { Resolver } from 'node:dns/promises';
import type { AddressPolicy } from '../../../shared/webhooks/address.ts';
import { literalOf, plainHost } from '../../../shared/webhooks/address.ts';
import { blockedMessage } from '../../../shared/webhooks/target.ts';
import { addressesInHosts } from './hosts-file.ts';
import { TryFailed } from './try-failed.ts';

export type Address = { address: string; family: 4 | 6 };

/** All addresses of a host's name. Rejects when it has none. */
export type LookUp = (host: string) => Promise<Address[]>;

/** A name may have thousands of addresses; it is reached at one of so many, or not at all. */
const mostAddresses = 16;

/**
 * By the machine's hosts file and its resolvers; or, with `servers`, by those alone. Not by `dns.lookup`: it holds a thread of libuv's for as
 * long as a name's server keeps silent, two look-ups at a time, so that two such names would stop all others.
 */
export function lookUpBy(servers: string[]): LookUp {
  return async (host) => {
    const listed = servers.length === 0 ? await addressesInHosts(host) : [];
    if (listed.length > 0) return listed.map(addressOf);
    // One for each look-up: what hangs with one server holds up no other name.
    const resolver = new Resolver({ timeout: 2_000, tries: 2 });
    if (servers.length > 0) resolver.setServers(servers);
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const found = [v4, v6].flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    if (found.length === 0 && v4.status === 'rejected') throw v4.reason;
    return found.map(addressOf);
  };
}

const addressOf = (address: string): Address => ({ address, family: address.includes(':') ? 6 : 4 });

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
      : [addressOf(literal)];
  if (addresses.length === 0) throw new TryFailed('dns_failed', `${host} has no address`);
  const refused = addresses.find(({ address }) => !policy.allows(host, address));
  if (refused !== undefined)
    throw new TryFailed(
      'blocked_address',
      blockedMessage(literal === undefined ? `${host} (${refused.address})` : refused.address),
    );
  return addresses.slice(0, mostAddresses);
}
