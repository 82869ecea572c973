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

/** One call; a certificate's fault is told apart from others, as an engine may be told to take any. */
const callMs = 10_000;
/** Engines follow ten. */
const maxHops = 10;
/** What Distribution takes for a manifest at the most. */
const maxBodyBytes = 4 * 1024 * 1024;
const answerBytes = maxBodyBytes + 64 * 1024;

export class UntrustedCertificate extends Unreachable {}

/** Asks places by GET, and follows their redirects by hand, each looked at before. To be closed. */
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
     * Throws Forbidden where it leads astray, Unreachable where it does not answer.
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
        // Credentials are for who asked for them.
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

/** Read away, where it is short: so the connection serves once more. */
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
    // It broke off or is no JSON: the engine will not take it either.
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
