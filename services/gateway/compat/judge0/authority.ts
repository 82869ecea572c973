import type { GatewayContext } from '../../http/context.ts';
import type { CompatParts } from '../protocol.ts';
import { Judge0Error } from './routes.ts';

/** The field of Judge0's own for the key, or that of its host on RapidAPI. */
export const keyIn = (c: GatewayContext): string | undefined =>
  c.req.header('x-auth-token') ?? c.req.header('x-rapidapi-key');

/** Listing and deleting want the key a second time, in `X-Auth-User`: one of the same tenant. Throws 403. */
export async function authorize(gateway: Pick<CompatParts, 'keyring'>, c: GatewayContext): Promise<void> {
  const key = c.req.header('x-auth-user') ?? '';
  const identity = /^[\x21-\x7e]{1,1024}$/.test(key) ? await gateway.keyring.whose(key) : undefined;
  if (identity?.tenant !== c.var.identity.tenant || !gateway.keyring.admits(identity))
    throw new Judge0Error(403, 'Send your API key in X-Auth-User as well.');
}
