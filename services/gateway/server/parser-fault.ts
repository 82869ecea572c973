import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Problem } from '../../../shared/problems.ts';
import { linger } from '../http/linger.ts';

/** What Node's parser says of bytes that are no request. */
function parserProblem(code: string | undefined): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Problem(
        'headers_too_large',
        'Target and fields may have 16 KiB together: send less of them.',
      );
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('request_timeout', 'The rest of it was waited for: send it again, in one go.');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Problem('payload_too_large', 'The extensions of a chunk are too large: send none.');
    case 'HPE_INVALID_VERSION':
    case 'HPE_PAUSED_H2_UPGRADE':
      return new Problem('http_version_not_supported', 'Speak HTTP/1.1, or put a proxy in front that does.');
    default:
      return new Problem(
        'bad_request',
        'This is not a request that HTTP/1.1 allows (RFC 9112): check the client.',
      );
  }
}

/** The last answer of a connection: nobody can tell where on it the next request would begin (RFC 9112 §9.6, §11.2). */
export function endWith(socket: Duplex, problem: Problem, fields: Record<string, string> = {}): void {
  const body = JSON.stringify(problem.toBody());
  const all = {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...fields,
    Connection: 'close',
    'Content-Length': String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const { status } = problem;
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  linger(socket as Socket);
}

/** Answers bytes that are no request, after the answers to the requests before them on the same connection. For the server's `clientError`. */
export function answerParserFaults(server: Server) {
  const underWay = watchAnswers(server);
  const ending = new WeakSet<Socket>();

  function end(socket: Socket, problem: Problem): void {
    ending.add(socket);
    if (socket.writable) endWith(socket, problem);
    else socket.destroy();
  }

  return ({ code }: { code?: string }, socket: Socket): void => {
    // After the first fault everything on the connection is a fault.
    if (ending.has(socket)) return;
    if (code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const problem = parserProblem(code);
    const [last, before] = [...(underWay.get(socket) ?? [])].reverse();
    if (last === undefined) {
      end(socket, problem);
      return;
    }
    const [outgoing, incoming] = last;
    if (incoming.complete || before !== undefined) {
      // Answers come in the order of their requests (RFC 9112 §9.3.2).
      const [until] = incoming.complete ? last : (before ?? last);
      ending.add(socket);
      until.once('close', () => end(socket, problem));
    } else if (outgoing.headersSent) {
      // The fault is in the body of this request, whose answer has begun: a client would take our problem for a part of it.
      socket.destroy();
    } else end(socket, problem);
  };
}

/** Answers that are under way on each connection, with the requests that they are to; the oldest first. */
function watchAnswers(server: Server): WeakMap<Socket, Map<ServerResponse, IncomingMessage>> {
  const all = new WeakMap<Socket, Map<ServerResponse, IncomingMessage>>();
  const watch = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const mine = all.get(incoming.socket) ?? new Map();
    all.set(incoming.socket, mine.set(outgoing, incoming));
    outgoing.once('close', () => mine.delete(outgoing));
  };
  for (const event of ['request', 'checkContinue', 'checkExpectation']) server.prependListener(event, watch);
  return all;
}
