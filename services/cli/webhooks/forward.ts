import { signedHeaders } from '../../../shared/webhooks/signature.ts';
import { UsageError } from '../errors.ts';
import { rootCause } from '../http/connection-error.ts';
import { version } from '../version.ts';

/** The result of a forwarded event: the status of the answer, or in `error` the reason why there was none. */
export type Forwarded = { statusCode: number | null; durationMs: number; error: string | null };

/** The same time limit that Runlet gives a receiver by default. */
const defaultLimitMs = 15_000;

/** POSTs an event as a delivery would: same body, same headers, signed now. */
export async function forward(
  url: string,
  secret: string,
  event: { webhookId: string; payload: unknown },
  { signal, limitMs = defaultLimitMs }: { signal: AbortSignal; limitMs?: number },
): Promise<Forwarded> {
  const body = JSON.stringify(event.payload);
  const began = performance.now();
  const ended = (statusCode: number | null, error: string | null): Forwarded => ({
    statusCode,
    durationMs: Math.round((performance.now() - began) * 10) / 10,
    error,
  });
  try {
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        'content-type': 'application/json',
        'user-agent': `Runlet/${version}`,
        ...signedHeaders({ id: event.webhookId, at: new Date(), body }, [secret]),
      },
      body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]),
    });
    await response.body?.cancel().catch(() => {});
    return ended(response.status, statusFault(response.status));
  } catch (error) {
    return ended(null, signal.aborted ? 'interrupted' : whyNot(error, limitMs));
  }
}

function statusFault(status: number): string | null {
  if (status >= 200 && status < 300) return null;
  return status >= 300 && status < 400 ? 'redirects are not followed' : 'only 2xx is delivered';
}

function whyNot(error: unknown, limitMs: number): string {
  const { code, text } = rootCause(error);
  switch (code) {
    case 'ECONNREFUSED':
      return 'nothing listens there';
    case 'ABORT_ERR':
      return `no answer within ${limitMs / 1000} s`;
    default:
      return text;
  }
}

/** Checks the address to forward events to: any http or https address. Mostly it is one on this machine. */
export function checkForwardUrl(text: string): string {
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined)
    throw new UsageError(`--forward "${text}" is no address: give one like http://127.0.0.1:3000/hook.`);
  if (url.username !== '' || url.password !== '')
    throw new UsageError('--forward must not hold a user or password: what is passed on is signed instead.');
  return url.href;
}
