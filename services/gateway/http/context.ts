import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { WebSocket } from 'ws';
import type { Problem } from '../../../shared/problems.ts';
import type { Identity } from '../stores/api-keys.ts';

/** For a route that the client asks for a WebSocket. The route accepts by setting `accept`, which gets the socket. */
export type Upgrade = {
  accept?: (socket: WebSocket) => void;
  /** Calls back when the client's key ends; call the function that it returns when the socket is closed. */
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
    /** In the place of Authorization, where another system's protocol has a field of its own for the key. */
    credentials: string | undefined;
    /** Answers errors, where another system's protocol has its own. */
    answerProblem: ((problem: Problem, c: Context<GatewayEnv>) => Response) | undefined;
    /** From now on the request does not end with its key: for the request that revokes its own key. */
    outliveKey: () => void;
    /** The route's pattern, for the access log and the metrics: ids make no labels. */
    route: string;
    /** Why a 500 was answered; goes to the log, never to the client. */
    fault: Error | undefined;
  };
};

export type GatewayContext = Context<GatewayEnv>;
