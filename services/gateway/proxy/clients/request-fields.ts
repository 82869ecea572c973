import { tokenInQuery, tokensInCookie, withoutKey } from '../access/credentials.ts';
import { isEndToEnd } from '../http1/field-kinds.ts';
import { listed } from '../http1/fields.ts';

/** The fields of a request, read once. */
export type RequestFields = {
  /** The fields that go on to the container unchanged, as lines of a head. */
  lines: string;
  /** How often the field came, and its last value. */
  hosts: number;
  host: string | undefined;
  lengths: number;
  length: string | undefined;
  authorizations: number;
  authorization: string | undefined;
  /** Without our own tokens, which are in `tokens`. */
  cookie: string;
  tokens: readonly string[];
  coding: string | undefined;
  upgrade: string | undefined;
  expects: boolean;
  /** The client wants no further answer on its connection. */
  closes: boolean;
  /** It takes trailers (RFC 9110 §10.1.4). */
  trailers: boolean;
  /** Fields of this one connection, by their names (RFC 9110 §7.6.1). */
  named: readonly string[];
  /** Fields in which proxies tell of their clients: name, value, name, value. Whether we believe them is decided later. */
  forwarded: readonly string[];
  origin: string | undefined;
  /** Fetch metadata (W3C): what kind of page sent it, and what for. */
  site: string | undefined;
  mode: string | undefined;
  wantsHtml: boolean;
};

const none: readonly string[] = [];
/** Options of a connection that are no fields, or that are read by themselves. */
const options = /^(?:keep-alive|upgrade|te|http2-settings)$/;

/**
 * Reads the fields. `lines` leaves out what is not for the container: fields of this one connection, fields that are written
 * again for the next one, fields that only a trusted proxy may send, and keys and tokens of Runlet's.
 *
 * @param fields name, value, name, value
 */
export function readRequestFields(fields: readonly string[]): RequestFields {
  const named: string[] = [];
  const read: RequestFields = {
    lines: '',
    hosts: 0,
    host: undefined,
    lengths: 0,
    length: undefined,
    authorizations: 0,
    authorization: undefined,
    cookie: '',
    tokens: none,
    coding: undefined,
    upgrade: undefined,
    expects: false,
    closes: false,
    trailers: false,
    named,
    forwarded: none,
    origin: undefined,
    site: undefined,
    mode: undefined,
    wantsHtml: false,
  };
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    let value = fields[i + 1] as string;
    switch (name.toLowerCase()) {
      case 'host':
        read.hosts += 1;
        read.host = value;
        continue;
      case 'content-length':
        read.lengths += 1;
        read.length = value;
        continue;
      case 'transfer-encoding':
        read.coding = read.coding === undefined ? value : `${read.coding}, ${value}`;
        continue;
      case 'upgrade':
        read.upgrade = read.upgrade === undefined ? value : `${read.upgrade}, ${value}`;
        continue;
      case 'connection':
        for (const option of listed(value)) {
          if (option === 'close') read.closes = true;
          else if (!options.test(option) && !isEndToEnd(option)) named.push(option);
        }
        continue;
      case 'te':
        read.trailers ||= listed(value).includes('trailers');
        continue;
      case 'authorization':
        read.authorizations += 1;
        read.authorization = value;
        continue;
      case 'cookie': {
        const { tokens, cookie } = tokensInCookie(value);
        if (tokens.length > 0) read.tokens = [...read.tokens, ...tokens];
        // RFC 6265 §5.4 has one field; several are one list.
        if (cookie !== '') read.cookie = read.cookie === '' ? cookie : `${read.cookie}; ${cookie}`;
        continue;
      }
      case 'proxy-connection':
      case 'proxy-authorization':
      case 'keep-alive':
      case 'http2-settings':
        continue;
      case 'forwarded':
      case 'x-forwarded-for':
      case 'x-forwarded-host':
      case 'x-forwarded-proto':
      case 'x-forwarded-port':
      case 'x-forwarded-prefix':
      case 'x-real-ip':
        read.forwarded = [...read.forwarded, name, value];
        continue;
      case 'referer':
        value = tokenInQuery(value).target;
        break;
      case 'sec-websocket-protocol':
        value = withoutKey(value);
        if (value === '') continue;
        break;
      case 'expect':
        read.expects = true;
        break;
      case 'origin':
        read.origin = value;
        break;
      case 'sec-fetch-site':
        read.site = value;
        break;
      case 'sec-fetch-mode':
        read.mode = value;
        break;
      case 'accept':
        read.wantsHtml ||= value.includes('text/html');
    }
    read.lines += `${name}: ${value}\r\n`;
  }
  return read;
}
