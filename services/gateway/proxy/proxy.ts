import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Gateway } from '../gateway.ts';
import { accessTo } from './access/access.ts';
import { knowKeys } from './access/api-keys.ts';
import type { Caller } from './clients/caller.ts';
import { openLane } from './clients/fast-path.ts';
import { isEnding, NodeCaller } from './clients/node-caller.ts';
import { entranceTo } from './entrance.ts';
import { knowServices } from './known-services.ts';
import { problemsOf, serving } from './serve.ts';
import { originForm, targetFinder } from './target.ts';
import { openTunnels } from './tunnel.ts';
import { readinessOf } from './wake.ts';

/** A container that does not take a connection by then is not there; the same as for a host that drops packets. */
const connectMs = 10_000;
const headBytes = 64 * 1024;

export type ServiceProxy = ReturnType<typeof createServiceProxy>;

/**
 * Requests for services, on their way to the containers.
 *
 *   lane, or Node's server ─▶ target ─▶ known services ─▶ access ─▶ readiness ─▶ exchange ─▶ pool ─▶ connection
 *   (a Caller)                whose it is                 who may   wakes it     both bodies
 */
export function createServiceProxy(gateway: Gateway) {
  const { env, keyring } = gateway;
  const findTarget = targetFinder(env);
  const services = knowServices(gateway, { connectMs, answerMs: env.RUNLET_SERVICE_TIMEOUT_MS, headBytes });
  const entrance = entranceTo({
    gateway,
    services,
    access: accessTo(knowKeys(keyring), env.RUNLET_SECRET_KEY),
    awaitReady: readinessOf(gateway, services),
  });
  const problemOf = problemsOf(gateway.log);
  const serve = serving({ entrance, services, problemOf });
  const tunnels = openTunnels(entrance, services, problemOf);
  const lane = openLane(({ host, target }) => {
    const found = findTarget(host, target);
    return found && ((caller: Caller) => serve(caller, found));
  });

  /** Where a request of Node's parser goes. `undefined`: it is not for a service. */
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
      // Of a server over TCP.
      tunnels.open(incoming, found, socket as Socket, early);
      return true;
    },

    /**
     * Whether a request with an Upgrade field is to become a tunnel; `undefined`: it is not for a service. One with a body cannot; and
     * HTTP/2 is not what is spoken here (RFC 9113 §3.1 has dropped that way to it).
     */
    upgrades(incoming: IncomingMessage): boolean | undefined {
      if (find(incoming) === undefined) return undefined;
      const { upgrade, 'content-length': length, 'transfer-encoding': coding } = incoming.headers;
      const bare = coding === undefined && (length === undefined || length === '0');
      return bare && !/^h2c?$/i.test(upgrade ?? '');
    },

    lane,

    /** WebSockets too, of which Node's server knows nothing. */
    closeAllConnections(): void {
      lane.closeAll();
      tunnels.closeAll();
    },

    async close(): Promise<void> {
      lane.stop();
      tunnels.closeAll();
      services.close();
    },
  };
}
