import { newId } from '../../../shared/ids.ts';
import type { Keys } from '../../../shared/keys.ts';
import type { Log } from '../../../shared/log.ts';
import type { Wakeups } from '../../../shared/wakeups.ts';
import { within } from '../../../shared/within.ts';
import type { BroughtKey, BroughtStatus, GatewayRegister } from '../stores/gateways.ts';

const beatMs = 1_000;
/** Remembered keys count only as long as we surely heard of every revocation. Must be below gatewayLifeMs. */
const leaseMs = 3_000;

export type RevocationEvents = {
  revoked(keyId: string): void;
  /** Keys may have been revoked that we did not hear of. */
  missed(): void;
};

/**
 * Tells this gateway of keys that are revoked. Messages over pub/sub can get lost unnoticed, so each gateway sends itself a
 * heartbeat over the same channel, with the number of keys revoked so far. When it arrives, this gateway has heard everything that was sent
 * before it, or knows that it missed something. Without a heartbeat for `leaseMs`, no remembered key is trusted.
 *
 *   revoked REVISION KEY         a key was taken back
 *   heard REVISION GATEWAY       and this gateway does not let it in any more
 *   beat REVISION GATEWAY N      said by key-beat.lua
 */
export function createRevocationFeed(parts: {
  register: GatewayRegister;
  wakeups: Wakeups;
  keys: Keys;
  log: Log;
  events: RevocationEvents;
}) {
  const { register, wakeups, keys, log, events } = parts;
  const id = newId('gtw');
  /** By performance.now(): the beats that have not come back. */
  const sent = new Map<number, number>();
  const waiting = new Set<(revision: number, gateway: string) => void>();
  let revision: number | undefined;
  let heardAt = Number.NEGATIVE_INFINITY;
  let number = 0;
  let brought: BroughtKey | undefined;
  let beating: Promise<BroughtStatus> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let last: BroughtStatus = 'none';

  function take(message: string): void {
    const [kind, at = '', who = '', which = ''] = message.split(' ');
    const said = Number(at);
    if (kind === 'heard') {
      for (const tell of waiting) tell(said, who);
      return;
    }
    const isNext = kind === 'revoked' && revision !== undefined && said === revision + 1;
    if (!isNext && said !== revision) events.missed();
    revision = said;
    if (kind === 'revoked') {
      events.revoked(who);
      register.confirm(id, said).catch(() => {});
    } else if (who === id) {
      heardAt = Math.max(heardAt, sent.get(Number(which)) ?? Number.NEGATIVE_INFINITY);
      for (const one of sent.keys()) if (one <= Number(which)) sent.delete(one);
    }
  }

  /** To be called only when the previous one was answered. */
  function beat(first: boolean): Promise<BroughtStatus> {
    number += 1;
    sent.set(number, performance.now());
    beating = register.beat(id, number, first, brought).finally(() => {
      beating = undefined;
    });
    return beating;
  }

  function tick(): void {
    if (beating !== undefined) return;
    // Heartbeats that never came back.
    for (const [one, at] of sent) if (performance.now() - at > leaseMs) sent.delete(one);
    beat(false).then(
      (status) => {
        if (status !== last && status !== 'none')
          log.warn({ status }, 'the key in RUNLET_API_KEY has changed its standing');
        last = status;
      },
      (error: Error) => log.warn({ reason: error.message }, 'heartbeat failed'),
    );
  }

  function start(): boolean {
    if (timer !== undefined) return false;
    timer = setInterval(tick, beatMs).unref();
    register.whenClosed(() => clearInterval(timer));
    // Until the subscription stands, no remembered key is trusted.
    wakeups.listen(keys.apiKeysWake, take).catch((error: Error) => {
      log.warn({ reason: error.message }, 'keys that are taken back are not heard of: each is looked up');
    });
    return true;
  }

  return {
    id,

    /** @param now by performance.now() */
    trusts: (now: number) => now - heardAt < leaseMs,

    /** Begins to listen, once, with no key to bring. */
    begin(): void {
      if (start()) tick();
    },

    /** Begins with the key of the environment. */
    async bring(key: BroughtKey): Promise<BroughtStatus> {
      start();
      await beating?.catch(() => {});
      brought = key;
      last = await beat(true);
      return last;
    },

    /** Resolves when each of these gateways has confirmed the revocation, or trusts no remembered key any more. */
    async told(of: number, gateways: readonly string[]): Promise<void> {
      const left = new Set(gateways);
      const { promise, resolve } = Promise.withResolvers<void>();
      const heard = (said: number, gateway: string) => {
        if (said >= of) left.delete(gateway);
        if (left.size === 0) resolve();
      };
      waiting.add(heard);
      // This gateway knows already.
      heard(of, id);
      await within(leaseMs, promise);
      waiting.delete(heard);
    },

    async stop(): Promise<void> {
      clearInterval(timer);
      await beating?.catch(() => {});
      await register.leave(id).catch(() => {});
    },
  };
}
