import { z } from 'zod';
import { attachError, attachInput } from '../../../shared/contracts/attach.ts';
import { exitEvent, outputEvent, pullEvent, statusEvent } from '../../../shared/contracts/events.ts';
import { problemBody } from '../../../shared/contracts/problem.ts';
import { run } from '../../../shared/contracts/run.ts';
import {
  bearer,
  binary,
  empty,
  eventsResponse,
  idParam,
  jsonResponse,
  lastEventId,
  page,
  problems,
  textHeader,
} from '../http/describe.ts';
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
const waitForEnd = z
  .string()
  .optional()
  .meta({ description: '`wait=N`, 0 to 60 seconds (RFC 7240).', examples: ['wait=30'] });
const preferenceApplied = { 'Preference-Applied': textHeader('`wait=N` (RFC 7240 §3).') };
const replayed = { 'Idempotent-Replayed': textHeader('`true` when this is the first answer again.') };
const location = { Location: textHeader('The run’s path, `/v1/runs/{id}`.') };

const runEvent = z
  .discriminatedUnion('type', [statusEvent, pullEvent, outputEvent, exitEvent])
  .meta({ id: 'RunEvent', description: 'An event of a run.' });

const attachMessage = z
  // Lazy: of a union in a union the generator writes the members out, without its name.
  .union([z.lazy(() => runEvent), attachError, z.lazy(() => attachInput)])
  .meta({ id: 'AttachMessage', description: 'A message over the WebSocket.' });

export const createDocument = {
  tags,
  security,
  operationId: 'createRun',
  summary: 'Run an image, or code in a language, once',
  description:
    'Exactly one of `image` and `language` says what to run. Stores the run and answers 202 with it. With `Prefer: wait=N` the answer is 200 and the finished run if it ends within N seconds, else 202. With `Accept: text/event-stream` it is 200 and the run’s events from the first, as `GET /v1/runs/{id}/events` has them; `Location` names the run, and a lost connection is taken up there. A 2xx means that the run is stored durably.',
  headers: z.object({
    Prefer: waitForEnd,
    'Idempotency-Key': idempotencyKey,
  }),
  example: { image: 'busybox', command: ['echo', 'hello'], limits: { timeoutMs: 5000 } },
  responses: {
    200: jsonResponse('The finished run (`Prefer: wait`).', run, {
      ...location,
      ...replayed,
      ...preferenceApplied,
    }),
    202: jsonResponse('The run, stored.', run, {
      ...location,
      ...replayed,
      ...preferenceApplied,
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
    'Each run is validated and stored by itself; the answer has one entry for each, in order: the run, or the problem that kept it out. `errors[].path` is relative to that run. With `Prefer: wait=N` the answer comes when all of them have ended, or after N seconds, with each run as it is then. Past 8 MiB of an answer, runs are shown as in a list: each stream of output is cut at 16 KiB.',
  headers: z.object({ Prefer: waitForEnd, 'Idempotency-Key': idempotencyKey }),
  example: { runs: [{ image: 'hello-world' }, { image: 'busybox', command: ['date'] }] },
  responses: {
    207: jsonResponse(
      'One result for each run.',
      z.object({ results: z.array(z.union([run, problemBody])) }).meta({ id: 'BatchResult' }),
      { ...replayed, ...preferenceApplied },
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
  description:
    'As it is now. Before its end it has the output so far. With `Prefer: wait=N` the answer comes when the run has ended, or after N seconds, with the run as it is then.',
  params,
  headers: z.object({ Prefer: waitForEnd }),
  responses: { 200: jsonResponse('The run.', run, preferenceApplied), ...problems(400, 404) },
};

export const deleteDocument = {
  tags,
  security,
  operationId: 'deleteRun',
  summary: 'Forget a finished run now',
  description:
    'Its output, events and artifacts go with it. A run that has not ended is refused (409): cancel it first.',
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
    'Events `status` (schema StatusEvent), `pull` (PullEvent), `stdout` and `stderr` (OutputEvent) and, last, `exit` (ExitEvent). Each has an id, and its data is one JSON object with the event’s name as its `type`. From the beginning, or after `Last-Event-ID`, also when the run has ended. A comment comes each 15 s. A run that is tried again streams all of its attempts.',
  params,
  headers: lastEventId,
  responses: {
    200: eventsResponse('The events.', runEvent, { type: 'stdout', data: 'hello\n', encoding: 'utf8' }),
    204: empty('`Last-Event-ID` was the last event: nothing follows, do not connect again.'),
    ...problems(400, 404),
  },
};

export const artifactDocument = {
  tags,
  security,
  operationId: 'getArtifact',
  summary: 'An artifact’s bytes',
  description: 'One file that the run kept. It never changes.',
  params: params.extend({ path: z.string().meta({ description: 'Its path, as in `artifacts[].path`.' }) }),
  headers: z.object({
    'If-None-Match': z.string().optional().meta({ description: 'An ETag that is held.' }),
    Range: z
      .string()
      .optional()
      .meta({
        description: 'One range of bytes (RFC 9110 §14.2). Several are answered with all of it.',
        examples: ['bytes=0-1023'],
      }),
    'If-Range': z
      .string()
      .optional()
      .meta({ description: 'The ETag of which `Range` is a part; of another one all is sent.' }),
  }),
  responses: {
    200: {
      description: 'The bytes, as an attachment.',
      headers: {
        ETag: textHeader('Its SHA-256, quoted.'),
        'Content-Length': textHeader('Its size.'),
        'Content-Disposition': textHeader('`attachment`, with the last part of its path (RFC 6266).'),
        'Accept-Ranges': textHeader('`bytes`.'),
      },
      content: { 'application/octet-stream': { schema: { type: 'string' as const, format: 'binary' } } },
    },
    206: {
      description: 'The bytes of the range (`Range`).',
      headers: {
        ETag: textHeader('Of the whole.'),
        'Content-Range': textHeader('Which bytes, of how many: `bytes 0-1023/5000`.'),
        'Content-Length': textHeader('How many they are.'),
      },
      content: binary,
    },
    304: empty('The client has it.'),
    ...problems(400, 404, 416),
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
    101: {
      description:
        'The WebSocket. The schema is that of one message: RunEvent (with its `id`) and AttachError come down, AttachInput goes up.',
      content: { 'application/json': { schema: attachMessage } },
    },
    ...problems(400, 404, 426),
    default: { ...problems(400)[400], description: 'Any other answer is a problem too.' },
  },
};
