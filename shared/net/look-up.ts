import { Resolver } from 'node:dns/promises';
import { addressesInHosts } from './hosts-file.ts';

export type Address = { address: string; family: 4 | 6 };

/** All addresses of a host's name. Rejects when it has none. */
export type LookUp = (host: string) => Promise<Address[]>;

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

export const addressOf = (address: string): Address => ({ address, family: address.includes(':') ? 6 : 4 });
