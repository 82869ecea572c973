import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** What stands in front of the app and answers some of the requests itself: the proxy to services. */
export type Front = {
  /** True: it answers this request. */
  request(incoming: IncomingMessage, outgoing: ServerResponse): boolean;
  /** True: it has taken the socket of this request to switch protocols. */
  upgrade(incoming: IncomingMessage, socket: Duplex, early: Buffer): boolean;
  /** Whether a request with an Upgrade field is to switch protocols; `undefined`: the app decides. */
  upgrades(incoming: IncomingMessage): boolean | undefined;
  /** Gets every new connection first; `adopt` hands it to Node's server, for good. */
  fastPath: { accept(socket: Socket, adopt: (socket: Socket) => void): void; closeIdle(): void };
  closeAllConnections(): void;
  close(): Promise<void>;
};
