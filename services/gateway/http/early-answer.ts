import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { linger } from './linger.ts';

/** Answers of Node's server that are given before the whole request has come. */

/** Connections that end with such an answer. */
const ending = new WeakSet<Socket>();

/** What still comes on this connection is not a request: its client was told that the connection ends. */
export const isEnding = (incoming: IncomingMessage) => ending.has(incoming.socket);

/**
 * Node's server closes a connection at once after its last answer, whether or not the request has come in full; the client would lose the
 * answer (RFC 9112 §9.6). Called before the answer ends, this closes only our side then, and the rest once the request has come.
 */
export function endAfterRequest(request: IncomingMessage): void {
  const { socket } = request;
  const { destroySoon } = socket;
  let ends = false;
  socket.destroySoon = () => {
    ends = true;
    ending.add(socket);
    socket.end();
  };
  request.once('end', () => {
    socket.destroySoon = destroySoon;
    if (ends) socket.destroySoon();
  });
}

/** Reads the rest of the request and throws it away, within the bounds of linger.ts. */
export function discardRest(request: IncomingMessage): void {
  const stop = linger(request.socket);
  // A client that was not told of an end, and has sent all, can go on.
  request.once('end', stop).resume();
}
