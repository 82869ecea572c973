import { howToGetAKey } from '../config/config.ts';
import { ApiError, type ConnectionError, ownProblem } from '../errors.ts';
import { connectionError } from './connection-error.ts';
import { type Answer, exchange } from './exchange.ts';
import { problemFrom } from './problem-from.ts';
import { type RetryOptions, withRetry } from './with-retry.ts';

export type ApiRequest = {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  body?: unknown;
  /** Sent instead of a JSON body. */
  bytes?: Uint8Array;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};

// Ordinary answers come at once. A minute is enough for a busy server, and it still ends a dead connection.
const answerTimeoutMs = 60_000;

/**
 * The only place that speaks HTTP. Answers have the types of the contract's zod schemas but are not parsed by them:
 * loading zod would take as long as the rest of the start together, and the server validates what it sends.
 */
export class ApiClient {
  readonly url: string;
  readonly #apiKey: string | undefined;
  readonly #note: (text: string) => void;

  constructor(url: string, apiKey: string | undefined, note: (text: string) => void) {
    this.url = url;
    this.#apiKey = apiKey;
    this.#note = note;
  }

  /** One exchange without retries. The caller reads the answer's body. Throws for any status but 2xx. */
  async open(request: ApiRequest): Promise<Answer> {
    if (this.#apiKey === undefined) throw noKey();
    const response = await this.send(request);
    if (response.ok) return response;
    throw refusedKey(await problemFrom(response, this.url));
  }

  /** Returns a JSON answer (`undefined` for 204). Retries where that is safe. */
  async json<T>(request: ApiRequest, retry: RetryOptions = {}): Promise<T> {
    const once = async (): Promise<T> => {
      const timeout = AbortSignal.timeout(answerTimeoutMs);
      const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout;
      const response = await this.open({ ...request, signal });
      return (await readJson(response, this.url)) as T;
    };
    // A DELETE that is repeated after a lost answer would find nothing and report a success as a failure.
    return withRetry(once, { note: this.#note, onLoss: request.method !== 'DELETE', ...retry });
  }

  /**
   * An answer whose body the caller reads, for as long as it likes: only the wait for its head is bounded. Retries where that is safe, as
   * `json` does.
   */
  async answer(request: ApiRequest, retry: RetryOptions = {}): Promise<Answer> {
    const once = async (): Promise<Answer> => {
      const late = new AbortController();
      const timer = setTimeout(
        () => late.abort(new DOMException('No answer came in time.', 'TimeoutError')),
        answerTimeoutMs,
      );
      const signal = request.signal ? AbortSignal.any([request.signal, late.signal]) : late.signal;
      try {
        return await this.open({ ...request, signal });
      } finally {
        clearTimeout(timer);
      }
    };
    return withRetry(once, { note: this.#note, onLoss: request.method !== 'DELETE', ...retry });
  }

  /** The address of a WebSocket, and the headers of its request. */
  webSocket(path: string): { url: string; headers: Record<string, string> } {
    if (this.#apiKey === undefined) throw noKey();
    return {
      url: `${this.url}${path}`.replace(/^http/i, 'ws'),
      headers: { authorization: `Bearer ${this.#apiKey}` },
    };
  }

  /** One exchange that returns any status, for checks that want to see it. */
  async send({ method = 'GET', path, body, bytes, headers = {}, signal }: ApiRequest): Promise<Answer> {
    const sent = bytes ?? (body === undefined ? undefined : JSON.stringify(body));
    try {
      return await exchange(`${this.url}${path}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(this.#apiKey !== undefined && { authorization: `Bearer ${this.#apiKey}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(bytes !== undefined && { 'content-type': 'application/octet-stream' }),
          ...headers,
        },
        ...(sent !== undefined && { body: sent }),
        ...(signal && { signal }),
      });
    } catch (error) {
      throw connectionError(error, this.url);
    }
  }
}

/** The JSON of an answer, `undefined` if it has no body. */
export async function readJson(response: Answer, url: string): Promise<unknown> {
  let text: string;
  try {
    text = await response.text();
  } catch (error) {
    throw connectionError(error, url) satisfies ConnectionError;
  }
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    const detail = `${url} answers, but not with JSON. Check the address with \`runlet config\`.`;
    throw new ApiError({
      ...ownProblem('not_runlet', 'The answer is not Runlet’s', detail),
      status: response.status,
    });
  }
}

function noKey(): ApiError {
  return new ApiError({
    ...ownProblem('unauthorized', 'An API key is required', `There is no API key. ${howToGetAKey}`),
    status: 401,
  });
}

/** A key was sent, so the title that fits is another than that of a request without one. */
function refusedKey(error: ApiError): ApiError {
  const { problem } = error;
  if (problem.code !== 'unauthorized') return error;
  const detail = `${problem.detail} \`runlet config\` says which key is in use and where it comes from.`;
  return new ApiError({ ...problem, title: 'The API key is not accepted', detail: detail.trim() });
}
