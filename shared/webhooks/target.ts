import { type AddressPolicy, addressPolicy, isLocalName, literalOf, plainHost } from '../net/address.ts';
import { portPolicy } from '../net/ports.ts';

/** Where webhooks may be sent. The operator decides this. */
export type TargetPolicy = {
  addresses: AddressPolicy;
  /** Whether a port may be called. */
  port(port: number): boolean;
};

/** The policy that the environment variables set (config.ts). */
export const targetPolicy = (env: {
  RUNLET_WEBHOOK_ALLOW: string[];
  RUNLET_WEBHOOK_PORTS: string;
}): TargetPolicy => ({
  addresses: addressPolicy(env.RUNLET_WEBHOOK_ALLOW),
  port: portPolicy(env.RUNLET_WEBHOOK_PORTS),
});

/** What is wrong with a receiver's URL. `undefined`: no fault can be found without calling it. */
export function targetFault(text: string, policy: TargetPolicy): string | undefined {
  const parsed = parseTarget(text, policy);
  return 'fault' in parsed ? parsed.fault : undefined;
}

/**
 * The URL of a receiver, or what is wrong with it. Only faults that can be found without a resolver are found here; the
 * notifier asks a resolver at each try. The URL parser turns every spelling of an IPv4 address (decimal, octal, hex, short)
 * into the usual one.
 */
export function parseTarget(text: string, policy: TargetPolicy): { url: URL } | { fault: string } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined)
    return { fault: 'is not a valid URL: give an absolute one, like https://example.com/hook' };
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return { fault: 'must begin with https:// or http://' };
  if (url.username !== '' || url.password !== '')
    return { fault: 'must not hold a user or password: deliveries are signed instead' };
  if (url.hash !== '') return { fault: 'must not have a fragment (#…): it is never sent' };
  const port = portOf(url);
  if (!policy.port(port))
    return { fault: `has port ${port}, which the operator does not allow (RUNLET_WEBHOOK_PORTS)` };
  const host = plainHost(url.hostname);
  if (host === '') return { fault: 'has no host' };
  const literal = literalOf(url.hostname);
  if (literal !== undefined && !policy.addresses.allows(host, literal))
    return { fault: blockedMessage(literal) };
  if (literal === undefined && isLocalName(host) && !policy.addresses.allows(host, '127.0.0.1'))
    return { fault: blockedMessage(host) };
  return { url };
}

export const portOf = (url: URL) => Number(url.port || (url.protocol === 'https:' ? 443 : 80));

export const blockedMessage = (what: string) =>
  `${what} is no public address: webhooks do not go to loopback, private or other non-global addresses, unless the operator allows it (RUNLET_WEBHOOK_ALLOW)`;
