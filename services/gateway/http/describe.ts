import { z } from 'zod';
import { problemBody } from '../../../shared/contracts/problem.ts';

/** Pieces of the OpenAPI document that many routes share. */

const codes = {
  400: 'The request is not valid; `errors` names each fault.',
  401: 'No API key, or an unknown one.',
  403: 'The key’s role does not allow this.',
  404: 'Not found. Somebody else’s id is not found either.',
  409: 'Not possible in the present state, or the first request with this Idempotency-Key is still in progress.',
  413: 'The body is larger than the operator allows.',
  415: 'The body is not JSON.',
  416: 'There is no such range of bytes in it; `Content-Range` says how many it has.',
  422: 'The Idempotency-Key was used with another body.',
  426: 'Ask for an upgrade to a WebSocket.',
  429: 'The tenant is over its quota. Try again after `Retry-After`.',
  502: 'No worker could do it; `code` says why.',
  503: 'The system is full, without a worker, or its store is away. Try again after `Retry-After`.',
  504: 'It took too long.',
} as const;

export type ProblemStatus = keyof typeof codes;

const requestIdHeader = {
  'X-Request-Id': { description: 'Names this request in the log.', schema: { type: 'string' as const } },
};

const retryAfter = {
  'Retry-After': { description: 'Seconds to wait (RFC 9110 §10.2.3).', schema: { type: 'integer' as const } },
};

/** The problem responses of a route that needs an API key. */
export const problems = (...statuses: ProblemStatus[]) => openProblems(401, 503, ...statuses);

/** The problem responses of a route that anybody may call. */
export function openProblems(...statuses: ProblemStatus[]) {
  const entries = statuses.map((status) => [
    status,
    {
      description: codes[status],
      headers: {
        ...requestIdHeader,
        ...(status === 429 || status === 503 ? retryAfter : {}),
        ...(status === 401 && {
          'WWW-Authenticate': { description: '`Bearer`', schema: { type: 'string' as const } },
        }),
      },
      content: { 'application/problem+json': { schema: problemBody } },
    },
  ]);
  return Object.fromEntries(entries) as Record<
    ProblemStatus,
    { description: string; content: { 'application/problem+json': { schema: typeof problemBody } } }
  >;
}

export function jsonResponse(
  description: string,
  schema: z.ZodType,
  headers: Record<string, { description: string; schema: { type: 'string' | 'integer' } }> = {},
) {
  return {
    description,
    headers: { ...requestIdHeader, ...headers },
    content: { 'application/json': { schema } },
  };
}

/**
 * Server-sent events. The schema is that of the data of one event: OpenAPI 3.1 has no word for a stream of them, and generators
 * take it so.
 */
export const eventsResponse = (description: string, schema: z.ZodType, example: unknown) => ({
  description: `${description} The schema is that of the data of one event.`,
  headers: requestIdHeader,
  content: { 'text/event-stream': { schema, example } },
});

export const htmlResponse = (description: string) => ({
  description,
  headers: requestIdHeader,
  content: { 'text/html': { schema: z.string() } },
});

export const empty = (description: string) => ({ description, headers: requestIdHeader });

export const textHeader = (description: string) => ({ description, schema: { type: 'string' as const } });

export function page(item: z.ZodType, id: string) {
  return z
    .object({
      data: z.array(item),
      nextCursor: z.string().nullable().meta({ description: 'Pass it as `cursor`; null on the last page.' }),
    })
    .meta({ id });
}

/** What every stream that can be resumed takes. */
export const lastEventId = z.object({
  'Last-Event-ID': z
    .string()
    .regex(/^\d{1,20}-\d{1,20}$/)
    .optional()
    .meta({ description: 'The id of the last event that was seen.', examples: ['1731000000000-0'] }),
});

export const idParam = (name: string, description: string, example: string) =>
  z.object({ [name]: z.string().meta({ description, examples: [example] }) });

export const binary = {
  'application/octet-stream': { schema: { type: 'string' as const, format: 'binary' } },
};

export const bearer = [{ apiKey: [] }];
