import type { Keys } from '../../../shared/keys.ts';
import type { RedisConnection } from '../../../shared/redis.ts';
import { scriptsIn, text } from '../../../shared/stores/scripts.ts';

/** A gateway that was not heard of for so long counts as dead. */
export const gatewayLifeMs = 4_000;
/** A gateway that is restarted is back within this time, with the same key. */
const graceMs = 30_000;
/** How many past values of RUNLET_API_KEY are remembered, the newest ones: an older value would count as new. */
const maxBrought = 100;

const script = scriptsIn(import.meta.url).loadScript('key-beat');

/** The key in a gateway's environment (RUNLET_API_KEY), by its digest. */
export type BroughtKey = {
  digest: string;
  /** The record to store if the key is new, and the id in that record. */
  record: string;
  keyId: string;
  /** The key is there since a version that did not note where keys come from: it counts as brought by the variable from now on. */
  adopt: boolean;
};

/**
 * What became of the key in a gateway's environment:
 *
 *   none       there is none
 *   brought    it is an admin key, of this generation or, as long as a gateway has it, of an earlier one
 *   known      it was made by the API: the variable did not bring it, and takes nothing away with it
 *   replaced   a newer one has taken its place, and some gateway has that: it opens nothing
 *   revoked    it was taken back by the API: it opens nothing
 */
export type BroughtStatus = 'none' | 'brought' | 'known' | 'replaced' | 'revoked';

/**
 * The register of gateways, and of the keys that RUNLET_API_KEY has brought. Each new value is a generation. Gateways of a rolling
 * restart have two values for a while, and one may be started anew with the former; so a value is not taken back because another one
 * came, but once no gateway has it:
 *
 *   a new value comes           older ones that no living gateway has go at once: the usual change, of one gateway
 *   a gateway goes              what only it had goes after the grace, in which it can come back
 *   an old value comes back     is refused as long as a gateway has a newer one: some machine was forgotten. Where none has (a change is
 *                               undone), it is the newest generation; what it replaces has the grace, as its gateways may be starting too
 *   the API takes a key back    no generation brings it again
 */
export function createGatewayRegister(redis: RedisConnection, keys: Keys) {
  return {
    /** Also sends the message `beat REVISION ID NUMBER` to `keys.apiKeysWake`. */
    async beat(
      gateway: string,
      number: number,
      first: boolean,
      key: BroughtKey | undefined,
    ): Promise<BroughtStatus> {
      const reply = await script(
        redis,
        [
          ...[keys.gateways, keys.gatewayKeys, keys.apiKeys, keys.apiKeyIds, keys.apiKeyUses],
          ...[keys.revokedKeys, keys.broughtKeys, keys.broughtSeen, keys.apiKeysRevision],
        ],
        [
          ...[gateway, key?.digest ?? '', key?.record ?? '', key?.keyId ?? '', first ? '1' : '0'],
          ...[key?.adopt ? '1' : '0', keys.apiKeysWake, number, gatewayLifeMs, graceMs, maxBrought],
        ],
      );
      return text(reply) as BroughtStatus;
    },

    /** Tells the other gateways that this one no longer lets a key in that was taken back. */
    async confirm(gateway: string, revision: number): Promise<void> {
      await redis.publish(keys.apiKeysWake, `heard ${revision} ${gateway}`);
    },

    /** @param act is called once, when the connection is closed for good */
    whenClosed(act: () => void): void {
      redis.once('end', act);
    },

    async leave(gateway: string): Promise<void> {
      await redis.multi().zrem(keys.gateways, gateway).hdel(keys.gatewayKeys, gateway).exec();
    },
  };
}

export type GatewayRegister = ReturnType<typeof createGatewayRegister>;
