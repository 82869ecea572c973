import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { WebSocket } from 'ws';
import type { Identity } from '../stores/api-keys.ts';

/** What a route gets when the client asks for a WebSocket: it accepts by leaving who takes it over. */
export type Upgrade = {
  accept?: (socket: WebSocket) => void;
  /** Calls back when the key ends that it was accepted for; the answer ends that. */
  hold?: (whenOver: () => void) => () => void;
};

export type GatewayEnv = {
  Bindings: HttpBindings & {
    /** Only where the client asked for a WebSocket. */
    upgrade?: Upgrade;
  };
  Variables: {
    requestId: string;
    /** Absent only on public routes. */
    identity: Identity;
    /** From now on the request goes on to its end, whatever becomes of the key: it is the one that takes it back. */
    outliveKey: () => void;
    /** The route's pattern, for the access log and the metrics: ids make no labels. */
    route: string;
    /** Why a 500 was answered; goes to the log, never to the client. */
    fault: Error | undefined;
  };
};

export type GatewayContext = Context<GatewayEnv>;
