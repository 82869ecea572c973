import { type Agent, type Dispatcher, errors } from 'undici';
import type { AttemptFault } from '../../../shared/contracts/webhook.ts';
import { innermost } from '../../../shared/net/innermost.ts';
import type { Address, LookUp } from '../../../shared/net/look-up.ts';
import { maxHeaderBytes, pinnedAgent } from '../../../shared/net/pinned-agent.ts';
import { parseTarget, type TargetPolicy } from '../../../shared/webhooks/target.ts';
import { extractOf } from './extract.ts';
import { checkedAddresses } from './resolve.ts';
import { TryAbandoned, TryFailed } from './try-failed.ts';

export type Posted = {
  statusCode: number;
  /** Seconds, or a date, as the receiver wrote it. */
  retryAfter: string | undefined;
  response: string | null;
};

export type Poster = ReturnType<typeof createPoster>;

/** Connections are kept for the next delivery to the same checked addresses, of so many receivers at most. */
const maxAgents = 256;
/** Far more than the headers and the extract of a body, with all that is buffered on the way. */
const answerBytes = 1024 * 1024;

/**
 * Sends deliveries. Whatever the receiver does, a try costs no more than its time and some KiB: no redirect is followed, no body is
 * decompressed, and an answer is read no further than its extract.
 */
export function createPoster(options: { policy: TargetPolicy; lookUp: LookUp; timeoutMs: number }) {
  const { policy, lookUp, timeoutMs } = options;
  // In order of use: the first was used longest ago.
  const agents = new Map<string, Agent>();
  let closed = false;

  function agentFor(url: URL, addresses: Address[]): Agent {
    const key = `${url.origin} ${addresses
      .map(({ address }) => address)
      .sort()
      .join(' ')}`;
    const agent = agents.get(key) ?? pinnedAgent(addresses, { timeoutMs, answerBytes });
    agents.delete(key);
    agents.set(key, agent);
    if (agents.size > maxAgents) {
      const [oldest, unused] = agents.entries().next().value as [string, Agent];
      agents.delete(oldest);
      unused.close().catch(() => {});
    }
    return agent;
  }

  return {
    /** @throws TryFailed when there was no answer, TryAbandoned when it was not waited for. */
    async post(address: string, headers: Record<string, string>, body: string): Promise<Posted> {
      if (closed) throw new TryAbandoned();
      const target = parseTarget(address, policy);
      if ('fault' in target) throw new TryFailed('blocked_address', `The URL ${target.fault}`);
      const { url } = target;
      // Not AbortSignal.timeout: its timer outlives the try, 15 s of tries at a time, with all that listens to the signal.
      const stop = new AbortController();
      const { signal } = stop;
      const timer = setTimeout(() => stop.abort(), timeoutMs);
      try {
        const addresses = await orAbort(checkedAddresses(url, lookUp, policy.addresses), signal);
        const answer = await agentFor(url, addresses).request({
          origin: url.origin,
          path: `${url.pathname}${url.search}`,
          method: 'POST',
          headers: { ...headers, 'accept-encoding': 'identity' },
          body,
          signal,
        });
        return {
          statusCode: answer.statusCode,
          retryAfter: headerOf(answer.headers, 'retry-after'),
          response: await extractOf(answer.body),
        };
      } catch (error) {
        if (closed) throw new TryAbandoned();
        throw error instanceof TryFailed ? error : failureOf(error, signal, timeoutMs);
      } finally {
        clearTimeout(timer);
      }
    },

    /** Breaks off what is under way. */
    async close(): Promise<void> {
      closed = true;
      await Promise.all([...agents.values()].map((agent) => agent.destroy()));
      agents.clear();
    },
  };
}

function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

function headerOf(headers: Dispatcher.ResponseData['headers'], name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** What went wrong, in words for the endpoint's owner. */
function failureOf(error: unknown, signal: AbortSignal, timeoutMs: number): TryFailed {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const inner = innermost(error);
  if (signal.aborted || /TIMEOUT|ETIMEDOUT/.test(code) || inner.code === 'ETIMEDOUT')
    return new TryFailed('timeout', `No answer within ${timeoutMs} ms.`);
  if (error instanceof errors.HTTPParserError || /^(HPE_|UND_ERR_(HEADERS_OVERFLOW|RES))/.test(code))
    return new TryFailed(
      'bad_response',
      `The answer was no valid HTTP, or its headers were larger than ${maxHeaderBytes} bytes.`,
    );
  return new TryFailed(
    kindOf(inner.code ?? code, inner.message),
    inner.message || message || 'The connection failed.',
  );
}

function kindOf(code: string, message: string): AttemptFault {
  if (
    /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/.test(code) ||
    /certificate|SSL|TLS/i.test(message)
  )
    return 'tls_failed';
  if (/^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/.test(code)) return 'bad_response';
  return 'connect_failed';
}
