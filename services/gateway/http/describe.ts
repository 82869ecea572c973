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

/** The problem responses of a route. */
export function problems(...statuses: ProblemStatus[]) {
  const entries = ([401, 503, ...statuses] as ProblemStatus[]).map((status) => [
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

export const idParam = (name: string, description: string, example: string) =>
  z.object({ [name]: z.string().meta({ description, examples: [example] }) });

export const bearer = [{ apiKey: [] }];
