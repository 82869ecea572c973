import { Agent, request } from 'undici';
import type { z } from 'zod';

/** Nothing that is measured takes as long. */
const deadlineMs = 90_000;
/** Connections are kept, as those of any client that cares for its rate. All servers are asked in this same way. */
const dispatcher = new Agent({ headersTimeout: deadlineMs, bodyTimeout: deadlineMs });

type Asked<T> = {
  kind: z.ZodType<T>;
  /** Who answers so, for the error: `Piston’s API v2`. */
  as: string;
  /** Given: POST. */
  body?: unknown;
  headers?: Record<string, string>;
  /** What to do where the server cannot be asked. */
  hint?: string;
};

/** What a server answers: 200, and JSON of this kind. Rejects with what was asked, what came instead, and the hint. */
export async function ask<T>(url: string, { kind, as, body, headers = {}, hint }: Asked<T>): Promise<T> {
  const refuse = (why: string) => new Error(`${url}: ${why}${hint === undefined ? '' : `. ${hint}`}`);
  const posted =
    body === undefined
      ? { headers }
      : {
          method: 'POST' as const,
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify(body),
        };
  let status: number;
  let text: string;
  try {
    const answer = await request(url, { dispatcher, ...posted });
    status = answer.statusCode;
    text = await answer.body.text();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw refuse(message || `${code}`);
  }
  if (status !== 200) throw refuse(`${status} ${text.slice(0, 500)}`);
  const parsed = kind.safeParse(jsonOf(text));
  if (!parsed.success) throw refuse(`not as ${as} answers: ${text.slice(0, 500)}`);
  return parsed.data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
