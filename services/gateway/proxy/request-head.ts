import type { RequestFields } from './clients/request-fields.ts';
import { type From, forwardedLines } from './forwarded.ts';

export type Forwarded = {
  method: string;
  target: string;
  /** The Host field for the container. */
  host: string;
  fields: RequestFields;
  passAuthorization: boolean;
  /** Undefined: it is chunked. */
  bodyLength: number | undefined;
  from: From;
  /** Of a WebSocket's handshake. */
  upgrade: string | undefined;
};

/**
 * The head of the request for the container. No value can contain a line end: each came through a parser that refuses them.
 */
export function requestHead(request: Forwarded): string {
  const { fields, bodyLength, from, upgrade } = request;
  let { lines } = fields;
  if (request.passAuthorization && fields.authorization !== undefined)
    lines += `Authorization: ${fields.authorization}\r\n`;
  if (fields.cookie !== '') lines += `Cookie: ${fields.cookie}\r\n`;
  if (fields.named.length > 0) lines = without(lines, fields.named);
  let head = `${request.method} ${request.target} HTTP/1.1\r\nHost: ${request.host}\r\n${lines}`;
  if (upgrade !== undefined) head += `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
  else if (fields.trailers) head += 'Connection: TE\r\nTE: trailers\r\n';
  if (bodyLength === undefined) head += 'Transfer-Encoding: chunked\r\n';
  // `Content-Length: 0` too: a POST without any may be refused with 411.
  else if (fields.length !== undefined) head += `Content-Length: ${bodyLength}\r\n`;
  return `${head}${forwardedLines(from, fields.forwarded)}\r\n`;
}

/** The lines without the fields of those names. */
function without(lines: string, names: readonly string[]): string {
  const dropped = new Set(names);
  return lines
    .split('\r\n')
    .filter((line) => !dropped.has(line.slice(0, Math.max(0, line.indexOf(':'))).toLowerCase()))
    .join('\r\n');
}
