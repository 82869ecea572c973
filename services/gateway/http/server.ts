import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Problem } from '../../../shared/problems.ts';
import { problemAnswer } from './answers.ts';
import type { App } from './mount.ts';
import { acceptUpgrades, wantsWebSocket } from './upgrade.ts';

/** The HTTP server around the app. What Node refuses before a route sees it is problem+json too. */
export function createHttpServer(app: App): Server {
  const server = createServer(
    {
      // Longer than what proxies and clients keep: it is the client who closes, so none loses a request to us.
      keepAliveTimeout: 75_000,
      headersTimeout: 80_000,
      // A body that trickles in is given up.
      requestTimeout: 120_000,
      // Any other upgrade (h2c) may be ignored, and the request answered as it is (RFC 9110 §7.8).
      shouldUpgradeCallback: wantsWebSocket,
    },
    getRequestListener(app.fetch, {
      errorHandler: (error) => problemAnswer(targetProblem(error)),
    }),
  );
  acceptUpgrades(server, app);
  server.on('clientError', answerClientError);
  return server;
}

const targetProblem = (error: unknown) =>
  error instanceof Error && error.name === 'RequestError'
    ? new Problem('validation_failed', 'The request’s URL or Host header is not valid (RFC 9110 §7.1, §7.2).')
    : new Problem('internal', 'The request could not be handled.');

function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
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
