import { Resolver } from 'node:dns/promises';
import { addressesInHosts } from './hosts-file.ts';

export type Address = { address: string; family: 4 | 6 };

/** All addresses of a host name. Rejects if it has none. */
export type LookUp = (host: string) => Promise<Address[]>;

/**
 * Asks the machine's hosts file and its resolvers. With `servers`, only those are asked. `dns.lookup` is not used: it holds a
 * thread of libuv for as long as the server of a name does not answer. Only two look-ups run at a time, so two such names would
 * stop all others.
 */
export function lookUpBy(servers: string[]): LookUp {
  return async (host) => {
    const listed = servers.length === 0 ? await addressesInHosts(host) : [];
    if (listed.length > 0) return listed.map(addressOf);
    // Each look-up has its own resolver: a server that does not answer delays no other name.
    const resolver = new Resolver({ timeout: 2_000, tries: 2 });
    if (servers.length > 0) resolver.setServers(servers);
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const found = [v4, v6].flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    if (found.length === 0 && v4.status === 'rejected') throw v4.reason;
    return found.map(addressOf);
  };
}

export const addressOf = (address: string): Address => ({ address, family: address.includes(':') ? 6 : 4 });
