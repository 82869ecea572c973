import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { attachProtocol, bearerProtocol, maxStdinBytes } from '../../../shared/contracts/attach.ts';
import { Problem } from '../../../shared/problems.ts';
import type { Upgrade } from '../http/context.ts';
import { closeGraceMs, keyEnded } from '../http/end-of-key.ts';
import type { App } from '../http/mount.ts';
import type { Front } from './front.ts';
import { endWith } from './parser-fault.ts';
import { takeKeyFromPath } from './path-key.ts';
import { requestFault } from './request-fault.ts';

/** A message of 1 MiB of stdin in base64, with what stands around it. */
const maxMessageBytes = Math.ceil((maxStdinBytes * 4) / 3) + 4096;

export const wantsWebSocket = (request: IncomingMessage) =>
  request.headers.upgrade?.toLowerCase() === 'websocket';

const onlyGet = new Problem('method_not_allowed', 'A WebSocket is asked for by GET (RFC 6455 §4.1).');

/**
 * WebSockets (RFC 6455) through the app's own routes: the same keys, log and problems as for any request, and a
 * refusal is an HTTP answer with its body. (The adapter's own upgrade drops the body and hides the socket's flow.)
 */
export function acceptUpgrades(server: Server, app: App, front?: Front): void {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: maxMessageBytes,
    // A shell's messages are small, and a compressor for each connection would take much memory.
    perMessageDeflate: false,
    clientTracking: false,
    // Never the protocol that contains the key: the answer would show it.
    handleProtocols: (offered) => (offered.has(attachProtocol) ? attachProtocol : false),
  });

  sockets.on('wsClientError', (_, socket) =>
    endWith(
      socket,
      new Problem(
        'bad_request',
        'This is no handshake of a WebSocket (RFC 6455 §4.1): it wants Sec-WebSocket-Key, and Sec-WebSocket-Version 13.',
      ),
      { 'Sec-WebSocket-Version': '13' },
    ),
  );

  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    const fault = requestFault(incoming);
    if (fault !== undefined) return endWith(socket, fault);
    if (front?.upgrade(incoming, socket, head)) return;
    takeKeyFromPath(incoming);
    const ignore = () => {};
    socket.on('error', ignore);
    const upgrade: Upgrade = {};
    answer(app, incoming, upgrade)
      .then(async (response) => {
        if (socket.destroyed) return;
        const { accept, hold } = upgrade;
        if (accept === undefined) return refuse(socket, response);
        socket.off('error', ignore);
        if (incoming.method !== 'GET') return endWith(socket, onlyGet, { Allow: 'GET' });
        sockets.handleUpgrade(incoming, socket, head, (webSocket) => {
          if (hold !== undefined)
            webSocket.once(
              'close',
              hold(() => closeForEndedKey(webSocket)),
            );
          accept(webSocket);
        });
      })
      .catch(() => socket.destroy());
  });
}

/** Further messages are ignored, and a client that does not answer the close is cut off. */
function closeForEndedKey(webSocket: WebSocket): void {
  webSocket.removeAllListeners('message');
  webSocket.close(4401, keyEnded);
  setTimeout(() => webSocket.terminate(), closeGraceMs).unref();
}

async function answer(app: App, incoming: IncomingMessage, upgrade: Upgrade): Promise<Response> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers))
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  const key = keyInProtocol(incoming.headers['sec-websocket-protocol']);
  if (key !== undefined && !headers.has('authorization')) headers.set('authorization', `Bearer ${key}`);
  const url = new URL(incoming.url ?? '/', `http://${incoming.headers.host ?? 'localhost'}`);
  return app.fetch(new Request(url, { method: 'GET', headers }), { incoming, upgrade });
}

/** `runlet.bearer.<base64url of the key>` among the subprotocols: a key may hold what a protocol's name may not. */
function keyInProtocol(offered: string | undefined): string | undefined {
  const protocol = offered
    ?.split(',')
    .map((one) => one.trim())
    .find((one) => one.startsWith(bearerProtocol));
  return protocol && Buffer.from(protocol.slice(bearerProtocol.length), 'base64url').toString('utf8');
}

async function refuse(socket: Duplex, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.end(
    Buffer.concat([
      Buffer.from(
        `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ''}\r\n${headers}connection: close\r\ncontent-length: ${body.length}\r\n\r\n`,
      ),
      body,
    ]),
  );
}
