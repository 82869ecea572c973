import { z } from 'zod';
import { problemBody } from '../../../shared/contracts/problem.ts';
import { run } from '../../../shared/contracts/run.ts';
import { bearer, empty, idParam, jsonResponse, page, problems, textHeader } from '../http/describe.ts';
import { listQuery } from './list.ts';

/** What the OpenAPI document says of the routes of runs. */

const tags = ['Runs'];
const security = bearer;
const params = idParam('id', 'The run’s id.', 'run_01931f0a7c5e7c4f8a3b2c1d0e9f8a7b');

const idempotencyKey = z
  .string()
  .min(1)
  .max(257)
  .optional()
  .meta({
    description:
      'Bare or in double quotes. Same key, same body: the first answer again, with `Idempotent-Replayed: true`. Kept 24 h.',
    examples: ['"9f1c2f6e-order-17"'],
  });
const replayed = { 'Idempotent-Replayed': textHeader('`true` when this is the first answer again.') };
const location = { Location: textHeader('The run’s path, `/v1/runs/{id}`.') };

export const createDocument = {
  tags,
  security,
  operationId: 'createRun',
  summary: 'Run an image once',
  description:
    'Stores the run and answers 202 with it. With `Prefer: wait=N` the answer is 200 and the finished run if it ends within N seconds, else 202. A 2xx means that the run is stored durably.',
  headers: z.object({
    prefer: z
      .string()
      .optional()
      .meta({ description: '`wait=N`, 0 to 60 seconds (RFC 7240).', examples: ['wait=30'] }),
    'idempotency-key': idempotencyKey,
  }),
  example: { image: 'busybox', command: ['echo', 'hello'], limits: { timeoutMs: 5000 } },
  responses: {
    200: jsonResponse('The finished run (`Prefer: wait`).', run, {
      ...location,
      ...replayed,
      'Preference-Applied': textHeader('`wait=N` (RFC 7240 §3).'),
    }),
    202: jsonResponse('The run, stored.', run, {
      ...location,
      ...replayed,
      'Preference-Applied': textHeader('`wait=N` (RFC 7240 §3).'),
    }),
    ...problems(400, 409, 413, 415, 422, 429),
  },
};

export const batchDocument = {
  tags,
  security,
  operationId: 'createRuns',
  summary: 'Run up to 100 at once',
  description:
    'Each run is validated and stored by itself; the answer has one entry for each, in order: the run, or the problem that kept it out. `errors[].path` is relative to that run. `Prefer` has no effect here.',
  headers: z.object({ 'idempotency-key': idempotencyKey }),
  example: { runs: [{ image: 'hello-world' }, { image: 'busybox', command: ['date'] }] },
  responses: {
    207: jsonResponse(
      'One result for each run.',
      z.object({ results: z.array(z.union([run, problemBody])) }).meta({ id: 'BatchResult' }),
      replayed,
    ),
    ...problems(400, 409, 413, 415, 422),
  },
};

export const listDocument = {
  tags,
  security,
  operationId: 'listRuns',
  summary: 'List runs, newest first',
  description:
    'Each stream of output is cut at 16 KiB here, and `outputTruncated` is true then; `GET /v1/runs/{id}` has all of it. A page may hold fewer entries than `limit` while `nextCursor` is not null: go on until it is.',
  query: listQuery.omit({ metadata: true }).extend({
    'metadata.{key}': z.string().optional().meta({
      description: 'Only runs whose metadata has this value under `{key}`; may stand for several keys.',
    }),
  }),
  responses: { 200: jsonResponse('One page.', page(run, 'RunPage')), ...problems(400) },
};

export const readDocument = {
  tags,
  security,
  operationId: 'getRun',
  summary: 'A run with all of its output',
  params,
  responses: { 200: jsonResponse('The run.', run), ...problems(400, 404) },
};

export const deleteDocument = {
  tags,
  security,
  operationId: 'deleteRun',
  summary: 'Forget a finished run now',
  params,
  responses: {
    204: empty('Forgotten, with its output and events.'),
    ...problems(400, 404, 409),
  },
};

export const cancelDocument = {
  tags,
  security,
  operationId: 'cancelRun',
  summary: 'Cancel a run',
  description:
    'Queued, it ends as `cancelled` at once; running, within two seconds. Cancelling again, or after the end, changes nothing and answers with the run as it is.',
  params,
  responses: { 202: jsonResponse('The run as it is now.', run), ...problems(400, 404) },
};

export const eventsDocument = {
  tags,
  security,
  operationId: 'followRun',
  summary: 'Follow a run (server-sent events)',
  description:
    'Events `status` (schema StatusEvent), `pull` (PullEvent), `stdout` and `stderr` (OutputEvent) and, last, `exit` (ExitEvent); each has an id, and its data is one JSON object. From the beginning, or after `Last-Event-ID`, also when the run has ended. A comment comes each 15 s. A run that is tried again streams all of its attempts.',
  params,
  headers: z.object({
    'last-event-id': z
      .string()
      .regex(/^\d{1,20}-\d{1,20}$/)
      .optional()
      .meta({ description: 'The id of the last event that was seen.', examples: ['1731000000000-0'] }),
  }),
  responses: {
    200: {
      description: 'The events.',
      content: {
        'text/event-stream': {
          schema: z.string(),
          example: 'id: 1731000000000-0\nevent: stdout\ndata: {"data":"hello\\n","encoding":"utf8"}\n\n',
        },
      },
    },
    204: empty('`Last-Event-ID` was the last event: nothing follows, do not connect again.'),
    ...problems(400, 404),
  },
};

export const artifactDocument = {
  tags,
  security,
  operationId: 'getArtifact',
  summary: 'An artifact’s bytes',
  params: params.extend({ path: z.string().meta({ description: 'Its path, as in `artifacts[].path`.' }) }),
  responses: {
    200: {
      description: 'The bytes, as an attachment.',
      content: { 'application/octet-stream': { schema: { type: 'string' as const, format: 'binary' } } },
    },
    ...problems(400, 404),
  },
};
