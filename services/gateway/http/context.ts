import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { WebSocket } from 'ws';
import type { Identity } from '../../../shared/stores/api-keys.ts';

/** What a route gets when the client asks for a WebSocket: it accepts by leaving who takes it over. */
export type Upgrade = { accept?: (socket: WebSocket) => void };

export type GatewayEnv = {
  Bindings: HttpBindings & {
    /** Only where the client asked for a WebSocket. */
    upgrade?: Upgrade;
  };
  Variables: {
    requestId: string;
    /** Absent only on public routes. */
    identity: Identity;
    /** The route's pattern, for the access log and the metrics: ids make no labels. */
    route: string;
    /** Why a 500 was answered; goes to the log, never to the client. */
    fault: Error | undefined;
  };
};

export type GatewayContext = Context<GatewayEnv>;
