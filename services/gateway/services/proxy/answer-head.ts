import { listed, parseFields } from './fields.ts';

/** Where the body ends (RFC 9112 §6.3): there is none, after so many bytes, with the last chunk, or with the connection. */
export type Framing = 'none' | number | 'chunked' | 'close';

/** What a container has answered. */
export type AnswerHead = {
  status: number;
  reason: string;
  /** Name, value, name, value: what goes on to the client. Fields of the connection (RFC 9110 §7.6.1) are left out. */
  fields: readonly string[];
  framing: Framing;
  /** Whether the connection can take another request. */
  keepAlive: boolean;
  /** How long the container keeps it, where it says so. */
  keepAliveMs: number | undefined;
  /** What a 101 switches to. */
  upgrade: string | undefined;
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

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/;

/** `undefined`: it is not HTTP/1, or says two things at once. @param head without its last empty line */
export function parseAnswer(head: string, method: string): Readonly<AnswerHead> | undefined {
  const lineEnd = head.indexOf('\r\n');
  const line = statusLine.exec(lineEnd === -1 ? head : head.slice(0, lineEnd));
  const all = parseFields(head, lineEnd === -1 ? head.length : lineEnd + 2);
  if (line === null || all === undefined) return undefined;
  const status = Number(line[2]);
  const fields: string[] = [];
  const answer: AnswerHead = {
    status,
    reason: line[3] ?? '',
    fields,
    framing: 'close',
    keepAlive: line[1] === '1',
    keepAliveMs: undefined,
    upgrade: undefined,
  };
  let length: string | undefined;
  let encoding: string | undefined;
  let named: string[] | undefined;
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
          if (option === 'close') answer.keepAlive = false;
          else if (option === 'keep-alive') answer.keepAlive = true;
          else if (option !== 'upgrade') named = [...(named ?? []), option];
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
        if (!/^\d{1,15}$/.test(value) || (length !== undefined && length !== value)) return undefined;
        if (length === undefined) fields.push(name, value);
        length = value;
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
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') return undefined;
  const hasBody = method !== 'HEAD' && status >= 200 && status !== 204 && status !== 304;
  if (!hasBody) answer.framing = 'none';
  else if (encoding !== undefined) answer.framing = 'chunked';
  else if (length !== undefined) answer.framing = Number(length);
  if (answer.framing === 'close') answer.keepAlive = false;
  // Both: it counts by chunks, and who wrote it is not to be trusted with another request (RFC 9112 §6.3). A 204 has no length.
  const drop = named ?? [];
  if (length !== undefined && (encoding !== undefined || status === 204)) drop.push('content-length');
  if (length !== undefined && encoding !== undefined) answer.keepAlive = false;
  if (drop.length > 0) answer.fields = without(fields, drop);
  return answer;
}

/** Name, value, name, value, without those names. */
export function without(fields: readonly string[], names: string[]): string[] {
  return fields.filter((_, i) => !names.includes((fields[i - (i % 2)] as string).toLowerCase()));
}
