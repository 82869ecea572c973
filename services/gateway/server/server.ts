import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { Problem } from '../../../shared/problems.ts';
import { problemAnswer } from '../http/answers.ts';
import type { App } from '../http/mount.ts';
import type { Front } from './front.ts';
import { answerParserFaults, endWith } from './parser-fault.ts';
import { takeKeyFromPath } from './path-key.ts';
import { refuse } from './refuse.ts';
import { requestFault } from './request-fault.ts';
import { acceptUpgrades, wantsWebSocket } from './upgrade.ts';

/** A request body for the API must have come by then. */
const bodyMs = 120_000;

/** The HTTP server around the app, with what stands in front of it. What Node refuses before a route sees it is problem+json too. */
export function createHttpServer(app: App, front?: Front): Server {
  const toApp = getRequestListener(app.fetch, {
    errorHandler: (error) => problemAnswer(targetProblem(error)),
  });
  const server = createServer(
    {
      // Longer than proxies and clients keep idle connections: so the client closes first, and no request meets a closed connection.
      keepAliveTimeout: 75_000,
      headersTimeout: 80_000,
      // Node has one limit for all requests, but a body for a service may take as long as it likes. See giveUpSlowBody.
      requestTimeout: 0,
      // request-fault.ts checks it, and answers with a problem.
      requireHostHeader: false,
      // Any other upgrade (h2c) may be ignored, and the request answered as it is (RFC 9110 §7.8).
      shouldUpgradeCallback: (incoming) => front?.upgrades(incoming) ?? wantsWebSocket(incoming),
    },
    (incoming, outgoing) => {
      if (refused(incoming, outgoing) || front?.request(incoming, outgoing)) return;
      // The adapter does not understand capital letters, or a colon without a port, which are valid (RFC 9110 §4.2.3).
      const { host } = incoming.headers;
      if (host !== undefined) incoming.headers.host = host.toLowerCase().replace(/:$/, '');
      takeKeyFromPath(incoming);
      giveUpSlowBody(server, incoming, outgoing);
      void toApp(incoming, outgoing);
    },
  );
  // RFC 9110 §10.1.1: a service itself decides whether it wants the body.
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

/** New connections go to the fast path, which hands them to Node's server with the first request that it does not take. Closing the server closes both. */
function putInFront(server: Server, front: Front): void {
  const { closeIdleConnections, closeAllConnections } = server;
  const adopters = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) =>
    front.fastPath.accept(socket, () => {
      for (const adopt of adopters) adopt.call(server, socket);
    }),
  );
  server.closeIdleConnections = () => {
    closeIdleConnections.call(server);
    front.fastPath.closeIdle();
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

/** Answers requests that Node's parser accepts and we do not. True: it was one. */
function refused(incoming: IncomingMessage, outgoing: ServerResponse): boolean {
  const fault = requestFault(incoming);
  if (fault !== undefined) refuse(incoming, outgoing, fault);
  return fault !== undefined;
}
