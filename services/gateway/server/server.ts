import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { Problem } from '../../../shared/problems.ts';
import { problemAnswer } from '../http/answers.ts';
import type { App } from '../http/mount.ts';
import type { Front } from './front.ts';
import { answerParserFaults, endWith } from './parser-fault.ts';
import { refuse } from './refuse.ts';
import { requestFault } from './request-fault.ts';
import { acceptUpgrades, wantsWebSocket } from './upgrade.ts';

/** A body that trickles in is given up. */
const bodyMs = 120_000;

/** The HTTP server around the app, with what stands in front of it. What Node refuses before a route sees it is problem+json too. */
export function createHttpServer(app: App, front?: Front): Server {
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
      // Whose it is, and whose it is not, is told by us: as a problem.
      requireHostHeader: false,
      // Any other upgrade (h2c) may be ignored, and the request answered as it is (RFC 9110 §7.8).
      shouldUpgradeCallback: (incoming) => front?.upgrades(incoming) ?? wantsWebSocket(incoming),
    },
    (incoming, outgoing) => {
      if (refused(incoming, outgoing) || front?.request(incoming, outgoing)) return;
      // The adapter takes neither for what it is (RFC 9110 §4.2.3): capital letters, a colon without a port.
      const { host } = incoming.headers;
      if (host !== undefined) incoming.headers.host = host.toLowerCase().replace(/:$/, '');
      giveUpSlowBody(server, incoming, outgoing);
      void toApp(incoming, outgoing);
    },
  );
  // RFC 9110 §10.1.1: whether a service wants the body is for it to say.
  server.on('checkContinue', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (refused(incoming, outgoing) || front?.request(incoming, outgoing)) return;
    outgoing.writeContinue();
    server.emit('request', incoming, outgoing);
  });
  server.on('checkExpectation', (incoming: IncomingMessage, outgoing: ServerResponse) =>
    refuse(
      incoming,
      outgoing,
      new Problem(
        'expectation_failed',
        'Only `Expect: 100-continue` is known (RFC 9110 §10.1.1): leave it out.',
      ),
    ),
  );
  server.on('connect', (_, socket: Duplex) =>
    endWith(socket, new Problem('method_not_allowed', 'CONNECT is not possible here: this is no front.'), {
      Allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
    }),
  );
  acceptUpgrades(server, app, front);
  server.on('clientError', answerParserFaults(server));
  if (front !== undefined) putInFront(server, front);
  return server;
}

/** Connections are the fast lane's until one of their requests is not for it; their ends are the server's all the same. */
function putInFront(server: Server, front: Front): void {
  const { closeIdleConnections, closeAllConnections } = server;
  const adopters = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) =>
    front.lane.accept(socket, () => {
      for (const adopt of adopters) adopt.call(server, socket);
    }),
  );
  server.closeIdleConnections = () => {
    closeIdleConnections.call(server);
    front.lane.closeIdle();
  };
  server.closeAllConnections = () => {
    closeAllConnections.call(server);
    front.closeAllConnections();
  };
  server.once('close', () => void front.close());
}

function giveUpSlowBody(server: Server, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { 'content-length': length, 'transfer-encoding': coding } = incoming.headers;
  if (length === undefined && coding === undefined) return;
  const timer = setTimeout(() => {
    if (incoming.complete) return;
    if (outgoing.headersSent) incoming.destroy();
    else server.emit('clientError', { code: 'ERR_HTTP_REQUEST_TIMEOUT' }, incoming.socket);
  }, bodyMs);
  incoming.once('close', () => clearTimeout(timer));
}

const targetProblem = (error: unknown) =>
  error instanceof Error && error.name === 'RequestError'
    ? new Problem('bad_request', 'The request’s URL or Host header is not valid (RFC 9110 §7.1, §7.2).')
    : new Problem('internal', 'The request could not be handled.');

/** What Node's parser takes and nobody here does. */
function refused(incoming: IncomingMessage, outgoing: ServerResponse): boolean {
  const fault = requestFault(incoming);
  if (fault !== undefined) refuse(incoming, outgoing, fault);
  return fault !== undefined;
}
