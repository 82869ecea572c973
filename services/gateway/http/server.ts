import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Problem } from '../../../shared/problems.ts';
import type { ServiceProxy } from '../services/proxy/proxy.ts';
import { problemAnswer } from './answers.ts';
import type { App } from './mount.ts';
import { acceptUpgrades, wantsWebSocket } from './upgrade.ts';

/** A body that trickles in is given up. */
const bodyMs = 120_000;

/** The HTTP server around the app, with the proxy to services in front. What Node refuses before a route sees it is problem+json too. */
export function createHttpServer(app: App, proxy?: ServiceProxy): Server {
  const toApp = getRequestListener(app.fetch, {
    errorHandler: (error) => problemAnswer(targetProblem(error)),
  });
  const server = createServer(
    {
      // Longer than what proxies and clients keep: it is the client who closes, so none loses a request to us.
      keepAliveTimeout: 75_000,
      headersTimeout: 80_000,
      // Node knows one time for all: to a service any body may take as long as it moves.
      requestTimeout: 0,
      // Any other upgrade (h2c) may be ignored, and the request answered as it is (RFC 9110 §7.8).
      shouldUpgradeCallback: (incoming) => proxy?.upgrades(incoming) ?? wantsWebSocket(incoming),
    },
    (incoming, outgoing) => {
      if (proxy?.request(incoming, outgoing)) return;
      giveUpSlowBody(incoming, outgoing);
      void toApp(incoming, outgoing);
    },
  );
  // RFC 9110 §10.1.1: whether a service wants the body is for it to say.
  server.on('checkContinue', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (proxy?.request(incoming, outgoing)) return;
    outgoing.writeContinue();
    server.emit('request', incoming, outgoing);
  });
  acceptUpgrades(server, app, proxy);
  server.on('clientError', answerClientError);
  if (proxy !== undefined) putInFront(server, proxy);
  return server;
}

/** Connections are the fast lane's until one of their requests is not for it; their ends are the server's all the same. */
function putInFront(server: Server, proxy: ServiceProxy): void {
  const { closeIdleConnections, closeAllConnections } = server;
  const adopters = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) =>
    proxy.lane.accept(socket, () => {
      for (const adopt of adopters) adopt.call(server, socket);
    }),
  );
  server.closeIdleConnections = () => {
    closeIdleConnections.call(server);
    proxy.lane.closeIdle();
  };
  server.closeAllConnections = () => {
    closeAllConnections.call(server);
    proxy.closeAllConnections();
  };
  server.once('close', () => void proxy.close());
}

function giveUpSlowBody(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { 'content-length': length, 'transfer-encoding': coding } = incoming.headers;
  if (length === undefined && coding === undefined) return;
  const timer = setTimeout(() => {
    if (incoming.complete) return;
    if (outgoing.headersSent) incoming.destroy();
    else answerClientError({ code: 'ERR_HTTP_REQUEST_TIMEOUT' }, incoming.socket);
  }, bodyMs);
  incoming.once('close', () => clearTimeout(timer));
}

const targetProblem = (error: unknown) =>
  error instanceof Error && error.name === 'RequestError'
    ? new Problem('validation_failed', 'The request’s URL or Host header is not valid (RFC 9110 §7.1, §7.2).')
    : new Problem('internal', 'The request could not be handled.');

function answerClientError(error: { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, title] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout']
        : [400, 'Bad Request'];
  const body = JSON.stringify({
    type: 'about:blank',
    title,
    status,
    detail: 'This is not a request that HTTP/1.1 allows (RFC 9112): check the client.',
    code: 'bad_request',
  });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
