import { METHODS } from 'node:http';
import { isAuthority } from '../../http/authority.ts';
import { headEnd, parseFields, readingOnce } from '../http1/fields.ts';
import { type RequestFields, readRequestFields } from './request-fields.ts';

export type PlainRequest = Readonly<{
  method: string;
  target: string;
  host: string;
  fields: Readonly<RequestFields>;
  bodyLength: number;
  headBytes: number;
}>;

/** As Node's own bound. */
const maxHeadBytes = 16 * 1024;
const methods = new Set(METHODS.filter((method) => method !== 'CONNECT'));
/** Only the origin form (RFC 9112 §3.2.1), and only of HTTP/1.1. */
const requestLine = /^([A-Z-]+) (\/[\x21\x22\x24-\x7e]*) HTTP\/1\.1$/;

/**
 * Reads the requests of one connection: the one that `data` begins with, if it is one of the plain kind that most are: a whole head of
 * HTTP/1.1, one Host, and no body or one of a known length. `undefined` does not mean that it is wrong: anything unusual is left to Node's
 * parser, so that this one can be small and strict.
 */
export function plainRequests(): (data: Buffer) => PlainRequest | undefined {
  const readHead = readingOnce(parseHead);
  return (data) => {
    const end = data.indexOf(headEnd);
    if (end === -1 || end > maxHeadBytes) return undefined;
    return readHead(data.toString('latin1', 0, end), undefined);
  };
}

/** @param head without its last empty line */
function parseHead(head: string): PlainRequest | undefined {
  const lineEnd = head.indexOf('\r\n');
  const line = requestLine.exec(lineEnd === -1 ? '' : head.slice(0, lineEnd));
  if (line === null) return undefined;
  const [, method = '', target = ''] = line;
  const all = methods.has(method) ? parseFields(head, lineEnd + 2) : undefined;
  if (all === undefined) return undefined;
  const fields = readRequestFields(all);
  const { host, hosts, length = '0', lengths, coding, upgrade, expects } = fields;
  if (host === undefined || hosts > 1 || !isAuthority(host) || lengths > 1 || !/^\d{1,15}$/.test(length))
    return undefined;
  if (coding !== undefined || upgrade !== undefined || expects) return undefined;
  const headBytes = head.length + headEnd.length;
  return { method, target, host, fields, bodyLength: Number(length), headBytes };
}
