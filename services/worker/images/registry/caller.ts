import { type Dispatcher, ProxyAgent } from 'undici';
import { innermost } from '../../../../shared/net/innermost.ts';
import { pinnedAgent } from '../../../../shared/net/pinned-agent.ts';
import { Forbidden, ledTo, type Places, Unreachable, type Way } from './places.ts';

export type Answered = {
  status: number;
  /** Where the answer came from, behind all redirects. */
  url: URL;
  challenges: string[];
  /** The body as JSON, as far as it was asked for and is that. */
  json: unknown;
};

export type Caller = ReturnType<typeof createCaller>;

/** The longest that one call takes. */
const callMs = 10_000;
/** As many redirects as engines follow. */
const maxHops = 10;
/** The largest manifest that the registry software Distribution accepts. */
const maxBodyBytes = 4 * 1024 * 1024;
const answerBytes = maxBodyBytes + 64 * 1024;

/** Told apart from other failures, since an engine may be set up to accept any certificate. */
export class UntrustedCertificate extends Unreachable {}

/** Asks by GET, and follows redirects itself, since each target is checked first. It has to be closed. */
export function createCaller(places: Places, signal: AbortSignal) {
  const dispatchers = new Map<string, Dispatcher>();

  function dispatcherFor(url: URL, way: Way, verify: boolean): Dispatcher {
    const key = `${url.origin} ${verify}`;
    const made =
      dispatchers.get(key) ??
      ('proxy' in way
        ? new ProxyAgent({
            uri: way.proxy,
            requestTls: { rejectUnauthorized: verify },
            proxyTunnel: url.protocol === 'https:',
          })
        : pinnedAgent(way.addresses, { timeoutMs: callMs, answerBytes, verify }));
    dispatchers.set(key, made);
    return made;
  }

  async function once(url: URL, headers: Record<string, string>, verify: boolean) {
    const way = await places(url);
    try {
      return await dispatcherFor(url, way, verify).request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: 'GET',
        headers: { 'user-agent': 'runlet', 'accept-encoding': 'identity', ...headers },
        headersTimeout: callMs,
        bodyTimeout: callMs,
        signal,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw unreachable(url, error);
    }
  }

  return {
    /**
     * Throws Forbidden where a redirect leads to a place that is not allowed, Unreachable where there is no answer.
     *
     * @param how `wantsBody`: whether the body is read, at most 4 MiB of it, as JSON. `verify`: as in TLS.
     */
    async ask(
      from: URL,
      headers: Record<string, string>,
      how: { wantsBody: boolean; verify: boolean },
    ): Promise<Answered> {
      let url = from;
      let sent = headers;
      for (let hop = 0; hop <= maxHops; hop += 1) {
        const { statusCode: status, headers: got, body } = await once(url, sent, how.verify);
        const location = linesOf(got.location)[0];
        const next = isRedirect(status) && location !== undefined ? ledTo(location, url) : undefined;
        if (next === undefined) {
          const json = how.wantsBody && status < 300 ? await jsonOf(body) : drop(body);
          return { status, url, challenges: linesOf(got['www-authenticate']), json };
        }
        drop(body);
        // Credentials go only to the host that asked for them.
        if (next.origin !== url.origin) sent = without(sent, 'authorization');
        url = next;
      }
      throw new Forbidden(`redirects more than ${maxHops} times`);
    },

    close(): void {
      for (const one of dispatchers.values()) one.destroy().catch(() => {});
      dispatchers.clear();
    },
  };
}

const isRedirect = (status: number) => [301, 302, 303, 307, 308].includes(status);

const linesOf = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

const without = (headers: Record<string, string>, name: string) =>
  Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));

type Body = Dispatcher.ResponseData['body'];

/** A short body is read to its end, so that the connection can be used again. */
function drop(body: Body): undefined {
  body.dump({ limit: 16 * 1024 }).catch(() => {});
  return undefined;
}

async function jsonOf(body: Body): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += (chunk as Buffer).length;
      if (size > maxBodyBytes) return undefined;
      chunks.push(chunk as Buffer);
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    // It broke off, or is not JSON: the engine will not accept it either.
    return undefined;
  } finally {
    body.destroy();
  }
}

function unreachable(url: URL, error: unknown): Unreachable {
  const { code = '' } = innermost(error);
  const isCertificate = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_TLS_CERT)/.test(code);
  const why = `does not answer (${code || 'the connection failed'})`;
  return isCertificate ? new UntrustedCertificate(url, why) : new Unreachable(url, why);
}
