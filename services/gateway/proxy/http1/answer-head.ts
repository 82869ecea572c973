import { excerpt, type Fault, parseAnswerFields } from './answer-lines.ts';
import { isEndToEnd } from './field-kinds.ts';
import { listed, withoutSpace } from './fields.ts';

/** Where the body ends (RFC 9112 §6.3): there is none; after so many bytes; with the last chunk; with the connection. */
export type Framing = 'none' | number | 'chunked' | 'close';

/** What a container has answered. */
export type AnswerHead = {
  status: number;
  reason: string;
  /** Name, value, name, value: the fields for the client, without those of the connection (RFC 9110 §7.6.1). */
  fields: readonly string[];
  framing: Framing;
  /** Whether the connection can take another request. */
  keepAlive: boolean;
  /** How long the container keeps it, where it says so. */
  keepAliveMs: number | undefined;
  /** What a 101 switches to. */
  upgrade: string | undefined;
  /** Fields of this one connection, by their names (RFC 9110 §7.6.1): of the trailers, too. */
  named: readonly string[];
};

/** Of the names below: most fields need no second look. */
const lengths = new Set(
  [
    'connection',
    'keep-alive',
    'transfer-encoding',
    'content-length',
    'upgrade',
    'proxy-connection',
    'te',
  ].map((name) => name.length),
);

/**
 * RFC 9112 §4 lets a recipient read several spaces as one, and ignore spaces at the end; the reason is often missing, and the space before it. A
 * later minor version is read as this one (RFC 9110 §2.5).
 */
const statusLine = /^HTTP\/1\.(\d)[ \t]+([1-9]\d\d)(?:[ \t]([\t\x20-\x7e\x80-\xff]*))?$/;

/** A fault: it is not HTTP/1, or contradicts itself. @param head without its last empty line */
export function parseAnswer(head: string, method: string): Readonly<AnswerHead> | Fault {
  const lf = head.indexOf('\n');
  const first = lf === -1 ? head : head.slice(0, head[lf - 1] === '\r' ? lf - 1 : lf);
  const line = statusLine.exec(first);
  if (line === null) return { fault: `its first line, ${excerpt(first)}, is no status line` };
  const all = parseAnswerFields(head, lf === -1 ? head.length : lf + 1);
  if ('fault' in all) return all;
  const status = Number(line[2]);
  const fields: string[] = [];
  const named: string[] = [];
  const answer: AnswerHead = {
    status,
    reason: line[3] === undefined ? '' : withoutSpace(line[3], 0, line[3].length),
    fields,
    framing: 'close',
    keepAlive: line[1] !== '0',
    keepAliveMs: undefined,
    upgrade: undefined,
    named,
  };
  let length: string | undefined;
  let encoding: string | undefined;
  let closes = false;
  for (let i = 0; i < all.length; i += 2) {
    const name = all[i] as string;
    const value = all[i + 1] as string;
    if (!lengths.has(name.length)) {
      fields.push(name, value);
      continue;
    }
    switch (name.toLowerCase()) {
      case 'connection':
        for (const option of listed(value)) {
          if (option === 'close') closes = true;
          else if (option === 'keep-alive') answer.keepAlive = true;
          else if (option !== 'upgrade' && !isEndToEnd(option)) named.push(option);
        }
        break;
      case 'keep-alive': {
        const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(value)?.[1];
        if (seconds !== undefined) answer.keepAliveMs = Number(seconds) * 1000;
        break;
      }
      case 'transfer-encoding':
        encoding = encoding === undefined ? value : `${encoding},${value}`;
        break;
      case 'content-length':
        for (const one of value.split(',')) {
          const said = withoutSpace(one, 0, one.length);
          if (!/^\d{1,15}$/.test(said)) return { fault: `its Content-Length, ${excerpt(value)}, is none` };
          if (length !== undefined && length !== said)
            return { fault: `its Content-Length is both ${length} and ${said}` };
          // The same one several times, in a list or not, is one (RFC 9110 §8.6).
          if (length === undefined) fields.push(name, said);
          length = said;
        }
        break;
      case 'upgrade':
        answer.upgrade = value;
        break;
      case 'proxy-connection':
      case 'te':
        break;
      default:
        fields.push(name, value);
    }
  }
  const coding = encoding === undefined ? [] : codings(encoding);
  if (coding.length > 1 || (coding.length === 1 && coding[0] !== 'chunked'))
    return { fault: `its Transfer-Encoding, ${excerpt(encoding ?? '')}, is not only "chunked"` };
  const hasBody = method !== 'HEAD' && status >= 200 && status !== 204 && status !== 304;
  if (!hasBody) answer.framing = 'none';
  else if (coding.length > 0) answer.framing = 'chunked';
  else if (length !== undefined) answer.framing = Number(length);
  // Of `keep-alive` and `close` the latter counts, in any order (RFC 9112 §9.3).
  if (closes || answer.framing === 'close') answer.keepAlive = false;
  // Chunks and a length, or chunks from HTTP/1.0, or a coding that is none: who wrote it is not to be trusted with another request
  // (RFC 9112 §6.1, §6.3). Of the first two it counts by chunks.
  if (encoding !== undefined && (length !== undefined || line[1] === '0' || coding.length === 0))
    answer.keepAlive = false;
  // RFC 9110 §8.6: 1xx and 204 have none.
  const unsaid = length !== undefined && (coding.length > 0 || status === 204 || status < 200);
  const drop = unsaid ? [...named, 'content-length'] : named;
  if (drop.length > 0) answer.fields = without(fields, drop);
  return answer;
}

/**
 * `identity` is no coding (RFC 2616 §3.6; since RFC 7230 §A.2 it is none that may be sent), and what stands beside it counts as if it
 * were not there. Not behind another one: to read until the end of the connection would be as right (RFC 9112 §6.3).
 */
function codings(encoding: string): string[] {
  const all = listed(encoding);
  const first = all.findIndex((one) => one !== 'identity');
  return first === -1 ? [] : all.slice(first);
}

/** Name, value, name, value, without those names. */
export function without(fields: readonly string[], names: readonly string[]): string[] {
  const dropped = new Set(names);
  return fields.filter((_, i) => !dropped.has((fields[i - (i % 2)] as string).toLowerCase()));
}
