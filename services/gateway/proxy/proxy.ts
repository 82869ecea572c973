import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Gateway } from '../gateway.ts';
import { isEnding } from '../http/early-answer.ts';
import { createAccess } from './access/access.ts';
import { createKnownKeys } from './access/api-keys.ts';
import type { Caller } from './clients/caller.ts';
import { openFastPath } from './clients/fast-path.ts';
import { NodeCaller } from './clients/node-caller.ts';
import { createEntrance, type EntranceParts } from './entrance.ts';
import { createKnownServices, type KnownServicesParts } from './known-services.ts';
import { createProblemOf, createServe } from './serve.ts';
import { originForm, targetFinder } from './target.ts';
import { openTunnels } from './tunnel.ts';
import { createAwaitReady, type WakeParts } from './wake.ts';

export type ProxyParts = Pick<Gateway, 'env' | 'keyring' | 'log'> &
  EntranceParts &
  KnownServicesParts &
  WakeParts;

/** A container that does not accept a connection within this time counts as unreachable, like a host that drops packets. */
const connectMs = 10_000;
const headBytes = 64 * 1024;

/**
 * Requests for services, on their way to the containers.
 *
 *   fast path, or Node's server ─▶ target ─▶ known services ─▶ access ─▶ readiness ─▶ exchange ─▶ pool ─▶ connection
 *   (a Caller)                whose it is                 who may   wakes it     both bodies
 */
export function createServiceProxy(gateway: ProxyParts) {
  const { env, keyring } = gateway;
  const findTarget = targetFinder(env);
  const services = createKnownServices(gateway, {
    connectMs,
    answerMs: env.RUNLET_SERVICE_TIMEOUT_MS,
    headBytes,
  });
  const entrance = createEntrance({
    gateway,
    services,
    access: createAccess(createKnownKeys(keyring), env.RUNLET_SECRET_KEY),
    awaitReady: createAwaitReady(gateway, services),
  });
  const problemOf = createProblemOf(gateway.log);
  const serve = createServe({ entrance, services, problemOf });
  const tunnels = openTunnels(entrance, services, problemOf);
  const fastPath = openFastPath(({ host, target }) => {
    const found = findTarget(host, target);
    return found && ((caller: Caller) => serve(caller, found));
  });

  /** The target of a request from Node's parser. `undefined`: it is not for a service. */
  function find(incoming: IncomingMessage) {
    const origin = originForm(incoming.url ?? '', incoming.headers.host);
    const target = origin && findTarget(origin.host, origin.target);
    return target && { ...origin, target };
  }

  return {
    /** True: it was for a service, and is being answered. */
    request(incoming: IncomingMessage, response: ServerResponse): boolean {
      if (isEnding(incoming)) return true;
      const found = find(incoming);
      if (found === undefined) return false;
      serve(new NodeCaller(incoming, response, found.host), found.target);
      return true;
    },

    /** True: it was for a service, and its socket is taken. */
    upgrade(incoming: IncomingMessage, socket: Duplex, early: Buffer): boolean {
      if (isEnding(incoming)) {
        socket.destroy();
        return true;
      }
      const found = find(incoming);
      if (found === undefined) return false;
      // A server over TCP has no other sockets.
      tunnels.open(incoming, found, socket as Socket, early);
      return true;
    },

    /**
     * Whether a request with an Upgrade field becomes a tunnel; `undefined`: it is not for a service. A request with a body does not; and
     * HTTP/2 is not supported (RFC 9113 §3.1 has removed this way to it).
     */
    upgrades(incoming: IncomingMessage): boolean | undefined {
      if (find(incoming) === undefined) return undefined;
      const { upgrade, 'content-length': length, 'transfer-encoding': coding } = incoming.headers;
      const bare = coding === undefined && (length === undefined || length === '0');
      return bare && !/^h2c?$/i.test(upgrade ?? '');
    },

    fastPath,

    /** WebSockets too, which Node's server does not close. */
    closeAllConnections(): void {
      fastPath.closeAll();
      tunnels.closeAll();
    },

    async close(): Promise<void> {
      fastPath.stop();
      tunnels.closeAll();
      services.close();
    },
  };
}
