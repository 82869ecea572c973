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
      'Bare or in double quotes. Same key, same body: the first answer again, with `Idempotent-Replayed: true`. Kept 24 h, of a tenant’s the last 100,000.',
    examples: ['"9f1c2f6e-order-17"'],
  });
const replayed = { 'Idempotent-Replayed': textHeader('`true` when this is the first answer again.') };
const location = { Location: textHeader('The run’s path, `/v1/runs/{id}`.') };

export const createDocument = {
  tags,
  security,
  operationId: 'createRun',
  summary: 'Run an image, or code in a language, once',
  description:
    'Exactly one of `image` and `language` says what to run. Stores the run and answers 202 with it. With `Prefer: wait=N` the answer is 200 and the finished run if it ends within N seconds, else 202. A 2xx means that the run is stored durably.',
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
    204: empty('Forgotten, with its output, events and artifacts.'),
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
  headers: z.object({
    'if-none-match': z.string().optional().meta({ description: 'An ETag that is held.' }),
  }),
  responses: {
    200: {
      description: 'The bytes, as an attachment.',
      headers: {
        ETag: textHeader('Its SHA-256, quoted.'),
        'Content-Length': textHeader('Its size.'),
        'Content-Disposition': textHeader('`attachment`, with the last part of its path (RFC 6266).'),
      },
      content: { 'application/octet-stream': { schema: { type: 'string' as const, format: 'binary' } } },
    },
    304: empty('The client has it.'),
    ...problems(400, 404),
  },
};

export const attachDocument = {
  tags,
  security,
  operationId: 'attachRun',
  summary: 'Attach to a run (WebSocket)',
  description: [
    'Down come the run’s events, as in its server-sent events, each one JSON text: `{"type":"stdout","id":"…","data":"…","encoding":"utf8"}`. They begin with the first, or after `after`; `exit` is the last, then the server closes with 1000. `{"type":"error","problem":{…}}` (schema AttachError) tells what could not be done.',
    'Up go, to a run with `interactive`, messages of the schema AttachInput. The size of the client’s terminal may come with the connection, as `cols` and `rows`: a program that is yet to be started finds it in its first line, as it does those of the request. While the program takes nothing, the server reads nothing more: at most 1 MiB is under way. A message that is none is told as an error and closes with 1008. A run that is not interactive can be watched.',
    'The server pings each 15 s. It closes with 1012 when it restarts: attach again, `after` the last id. A run goes on when its clients leave, to its end or its time limit.',
    'Browsers cannot send the header: they name the subprotocols `runlet` and `runlet.bearer.<base64url of the key>` instead.',
  ].join('\n\n'),
  params,
  responses: {
    101: { description: 'The WebSocket.' },
    ...problems(400, 404, 426),
  },
};
