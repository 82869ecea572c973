import { tokenInQuery, tokensInCookie, withoutKey } from '../access/credentials.ts';
import { isEndToEnd } from '../http1/field-kinds.ts';
import { listed } from '../http1/fields.ts';

/** What a request says of itself, read once. */
export type RequestFields = {
  /** What goes on to the container as it came, as lines of a head. */
  lines: string;
  /** How often; the last one of each. */
  hosts: number;
  host: string | undefined;
  lengths: number;
  length: string | undefined;
  authorizations: number;
  authorization: string | undefined;
  /** Without our own tokens, which stand apart. */
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
  /** By which proxies tell of their clients: name, value, name, value. Whether they are believed is not known here. */
  forwarded: readonly string[];
  origin: string | undefined;
  /** Fetch metadata (W3C): which page of a browser it is from, and what for. */
  site: string | undefined;
  mode: string | undefined;
  wantsHtml: boolean;
};

const none: readonly string[] = [];
/** Options of a connection that are no fields, or that are read by themselves. */
const options = /^(?:keep-alive|upgrade|te|http2-settings)$/;

/**
 * Reads the fields, and leaves out of `lines` what is for us and not for the container: those of this one connection, what is written
 * anew for the next, what only a proxy that the container trusts may say, and what opens a door of Runlet's.
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
