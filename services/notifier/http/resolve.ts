import type { AddressPolicy } from '../../../shared/net/address.ts';
import { literalOf, plainHost } from '../../../shared/net/address.ts';
import { type Address, addressOf, type LookUp } from '../../../shared/net/look-up.ts';
import { blockedMessage } from '../../../shared/webhooks/target.ts';
import { TryFailed } from './try-failed.ts';

/** A name may have thousands of addresses. So many are tried. */
const maxAddresses = 16;

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
  return addresses.slice(0, maxAddresses);
}
