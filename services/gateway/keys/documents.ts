import { z } from 'zod';
import { apiKey, keyWithSecret } from '../../../shared/contracts/key.ts';
import { bearer, empty, idParam, jsonResponse, page, problems, textHeader } from '../http/describe.ts';

/** What the OpenAPI document says of API keys. */

const tags = ['Keys'];
const security = bearer;

export const createDocument = {
  tags,
  security,
  operationId: 'createKey',
  summary: 'Make an API key',
  description:
    'The key is in this answer and nowhere else: what is kept is its digest. Admin only. An `admin` may everything; a `member` everything but keys, registries, workers, and taking images away.',
  headers: z.object({
    'Idempotency-Key': z.string().min(1).max(257).optional().meta({
      description:
        'Same key, same body: the first API key again, without the key itself, and `Idempotent-Replayed: true`. Kept 24 h, of a tenant’s the last 100,000.',
    }),
  }),
  example: { name: 'ci', role: 'member', expiresAt: '2099-01-31T12:00:00Z' },
  responses: {
    201: jsonResponse(
      'The key, which is shown this once.',
      z.union([keyWithSecret, apiKey]).meta({ id: 'CreatedKey' }),
      {
        Location: textHeader('The key’s path.'),
        'Idempotent-Replayed': textHeader(
          '`true` when this is the first answer again: without the key itself.',
        ),
      },
    ),
    ...problems(400, 403, 409, 413, 415, 422, 429),
  },
};

export const listDocument = {
  tags,
  security,
  operationId: 'listKeys',
  summary: 'List API keys, oldest first',
  description:
    'Admin only. Those that have expired are listed for a week. The key that RUNLET_API_KEY brings has the name of the variable.',
  responses: { 200: jsonResponse('One page.', page(apiKey, 'KeyPage')), ...problems(400, 403) },
};

export const deleteDocument = {
  tags,
  security,
  operationId: 'revokeKey',
  summary: 'Take an API key back',
  description: [
    'Once this is answered, no gateway lets it in; what it had open (streams, WebSockets, requests that wait, connections to services) ends within 10 s, and so do the signed URLs that it made. Runs and services that it started go on.',
    'A key may take itself back. The last admin key without `expiresAt` cannot be taken back (409), also where there are admin keys that are to expire: once they have, nobody could make another one. Admin only.',
  ].join('\n\n'),
  params: idParam('id', 'The key’s id.', 'key_01931f0a7c5e7c4f8a3b2c1d0e9f8a7b'),
  responses: { 204: empty('It opens nothing any more.'), ...problems(400, 403, 404, 409) },
};
