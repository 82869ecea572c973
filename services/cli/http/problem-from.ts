import { ApiError, type ShownProblem } from '../errors.ts';
import type { Answer } from './exchange.ts';
import { parseRetryAfter } from './retry-after.ts';

/** The problem in an answer (RFC 9457). If something other than Runlet answered, a problem is made from the status. */
export async function problemFrom(response: Answer, url: string): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  const retryAfterMs = parseRetryAfter(response.header('retry-after'), Date.now());
  return new ApiError(parse(text) ?? foreign(response, url, text), retryAfterMs);
}

function parse(text: string): ShownProblem | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof body !== 'object' || body === null) return undefined;
  const problem = body as Partial<ShownProblem>;
  if (typeof problem.title !== 'string' || typeof problem.code !== 'string') return undefined;
  return {
    ...problem,
    type: problem.type ?? 'about:blank',
    title: problem.title,
    code: problem.code,
    detail: problem.detail ?? '',
  };
}

/** The answer came from something else: a proxy's error page, a redirect, or a wrong address. */
function foreign(response: Answer, url: string, text: string): ShownProblem {
  // nginx and others say it in these words.
  const wantsHttps =
    response.status === 400 && url.startsWith('http:') && /\bHTTPS (?:port|server)/i.test(text);
  return {
    type: 'about:blank',
    title: `HTTP ${response.status}${response.statusText ? ` ${response.statusText}` : ''}`,
    status: response.status,
    detail: wantsHttps
      ? `${new URL(url).host} speaks HTTPS: use ${url.replace(/^http/, 'https')} in --url, RUNLET_URL or \`runlet login\`.`
      : `${url} answered without saying why. If a proxy stands between, look at it; else check the address with \`runlet config\`.`,
    code: `http_${response.status}`,
  };
}
