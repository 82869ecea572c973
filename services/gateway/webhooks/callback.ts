import type { RouteConfig } from '@hono/zod-openapi';
import { z } from 'zod';
import { payload } from './payload.ts';

/** The requests that Runlet makes, for the document’s section `webhooks` (OpenAPI 3.1). */
export const callbackDocument: RouteConfig = {
  method: 'post',
  path: 'event',
  operationId: 'receiveEvent',
  summary: 'An event, delivered to an endpoint',
  description:
    'Verify `webhook-signature` with a library of Standard Webhooks before anything else; answer 2xx soon.',
  tags: ['Webhooks'],
  security: [],
  request: {
    headers: z.object({
      // In lower case, as Standard Webhooks writes them.
      'webhook-id': z
        .string()
        .meta({ description: 'The same on every try: what was seen before can be skipped.' }),
      'webhook-timestamp': z.string().meta({ description: 'Of this try, in seconds since the epoch.' }),
      'webhook-signature': z
        .string()
        .meta({ description: 'One or several `v1,<base64 of the HMAC-SHA256>`, with spaces between.' }),
    }),
    body: { required: true, content: { 'application/json': { schema: payload } } },
  },
  responses: {
    '2XX': { description: 'Delivered.' },
    410: { description: 'Never again: the endpoint is disabled.' },
    default: { description: 'Tried again later, by the schedule or by `Retry-After`.' },
  },
};
