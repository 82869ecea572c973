import { z } from 'zod';
import { problemOrNull } from '../../../shared/contracts/problem.ts';
import { run } from '../../../shared/contracts/run.ts';
import { service, serviceExec, volume } from '../../../shared/contracts/service.ts';
import {
  bearer,
  binary,
  empty,
  eventsResponse,
  idParam,
  jsonResponse,
  page,
  problems,
  textHeader,
} from '../http/describe.ts';

/** What the OpenAPI document says of services. */

const tags = ['Services'];
const security = bearer;
const params = idParam('id', 'The service’s id or name.', 'web');
const prefer = z.object({
  Prefer: z
    .string()
    .optional()
    .meta({
      description:
        '`wait=N`, 0 to 60 seconds (RFC 7240): answers when it is ready, or will not be by itself.',
      examples: ['wait=30'],
    }),
});
const idempotencyKey = z.object({
  'Idempotency-Key': z.string().min(1).max(257).optional().meta({
    description:
      'Bare or in double quotes. Same key, same body: the first service again, with `Idempotent-Replayed: true`. Kept 24 h, of a tenant’s the last 100,000.',
  }),
});
const applied = { 'Preference-Applied': textHeader('`wait=N` (RFC 7240 §3).') };
const location = { Location: textHeader('Its path.') };
const asItIs = (description: string, headers: Record<string, ReturnType<typeof textHeader>> = {}) => ({
  200: jsonResponse('The service, ready or settled otherwise (`Prefer: wait`).', service, {
    ...applied,
    ...location,
    ...headers,
  }),
  202: jsonResponse(description, service, { ...applied, ...location, ...headers }),
});

export const createDocument = {
  tags,
  security,
  operationId: 'createService',
  summary: 'Start a service: a container that is kept alive',
  description:
    'Reached through the gateway at its `url` (HTTP, WebSocket, streaming) with the API key, a signed URL, or by anybody if it is `public`; raw TCP at `tcpPorts`. It keeps its image’s user and the few capabilities that official images’ entrypoints need. When nobody has called it for `keepAlive` it is stopped, and woken by the next request (`onIdle`). One worker holds it; when that worker’s process is gone the container runs on and is adopted by the next one.',
  headers: prefer.extend(idempotencyKey.shape),
  example: { name: 'web', image: 'nginx', port: 80 },
  responses: {
    ...asItIs('The service, stored.', {
      'Idempotent-Replayed': textHeader('`true` when this is the first service again.'),
    }),
    ...problems(400, 409, 413, 415, 422, 429),
  },
};

export const listDocument = {
  tags,
  security,
  operationId: 'listServices',
  summary: 'List services, newest first',
  description: 'All of the tenant’s services that are not removed, in every status.',
  responses: { 200: jsonResponse('One page.', page(service, 'ServicePage')), ...problems(400) },
};

export const readDocument = {
  tags,
  security,
  operationId: 'getService',
  summary: 'A service',
  description: 'As it is now, by its id or its name.',
  params,
  responses: { 200: jsonResponse('The service.', service), ...problems(400, 404) },
};

export const deleteDocument = {
  tags,
  security,
  operationId: 'deleteService',
  summary: 'Stop and remove a service',
  description:
    'Its container, network and files go; its name is free once the answer is 204. Named volumes stay, unless `volumes=true`.',
  params,
  responses: {
    202: jsonResponse('It is going, and was not gone within 30 s.', service),
    204: empty('Nothing of it is left.'),
    ...problems(400, 404),
  },
};

const action = (operationId: string, summary: string, description: string) => ({
  tags,
  security,
  operationId,
  summary,
  description,
  params,
  headers: prefer,
  responses: { ...asItIs('The service as it is now.'), ...problems(400, 404) },
});

export const startDocument = action(
  'startService',
  'Start it',
  'What runs goes on; what had failed is tried anew.',
);
export const stopDocument = action(
  'stopService',
  'Stop it',
  'Its container stays, with what it wrote. No request wakes it: start it.',
);
export const restartDocument = action('restartService', 'Stop and start it', 'With the same container.');

export const keepAliveDocument = {
  tags,
  security,
  operationId: 'keepServiceAlive',
  summary: 'Begin its idle clock anew',
  description: 'As a call would; with `forMs` as if the call came that much later than now.',
  params,
  example: { forMs: 3_600_000 },
  responses: { 200: jsonResponse('The service.', service), ...problems(400, 404, 413, 415) },
};

export const urlDocument = {
  tags,
  security,
  operationId: 'signServiceUrl',
  summary: 'Make a signed URL that expires',
  description:
    'Whoever has it may call the service until then, without an API key, as long as the key is good that made it. A browser keeps it as a cookie of the service’s own origin.',
  params,
  example: { expiresInMs: 3_600_000, path: '/' },
  responses: {
    201: jsonResponse(
      'The URL.',
      z.object({ url: z.string(), expiresAt: z.string() }).meta({ id: 'SignedUrl' }),
    ),
    ...problems(400, 404, 409, 413, 415),
  },
};

const logLine = z
  .object({
    type: z.enum(['stdout', 'stderr']),
    data: z.string(),
    encoding: z.enum(['utf8', 'base64']),
    at: z.string().meta({ description: 'When it was written, as the engine has it.' }),
  })
  .meta({ id: 'LogLine', description: 'A line that the service wrote.' });

const logEnd = z
  .object({
    type: z.literal('end'),
    error: problemOrNull.optional().meta({ description: 'Why there is no more, where that has a reason.' }),
  })
  .meta({ id: 'LogEnd', description: 'Nothing follows.' });

const logEvent = z
  .discriminatedUnion('type', [logLine, logEnd])
  .meta({ id: 'LogEvent', description: 'An event of a service’s log.' });

export const logsDocument = {
  tags,
  security,
  operationId: 'followServiceLogs',
  summary: 'Its output, past and live (server-sent events)',
  description:
    'Events `stdout` and `stderr`, one a line (schema LogLine); then `end` (LogEnd). The last 20 MiB are kept while its container is there.',
  params,
  responses: {
    200: eventsResponse('The lines.', logEvent, {
      type: 'stdout',
      data: 'listening\n',
      encoding: 'utf8',
      at: '2026-01-31T12:00:00.000000000Z',
    }),
    ...problems(400, 404, 409),
  },
};

export const execDocument = {
  tags,
  security,
  operationId: 'execInService',
  summary: 'Run a program inside a service',
  description:
    'Answers, streams and attaches as a run does: follow it under /v1/runs/{id}. It runs as the container’s user; what it leaves behind dies with it, but for what is `detached`. Wakes an idle service.',
  params,
  headers: prefer,
  example: { command: ['ls', '-l', '/'] },
  responses: {
    200: jsonResponse('The finished run (`Prefer: wait`).', run, { ...applied, ...location }),
    202: jsonResponse('The run, stored.', run, { ...applied, ...location }),
    ...problems(400, 404, 409, 413, 415, 429),
  },
};

export const listExecDocument = {
  tags,
  security,
  operationId: 'listServiceExecs',
  summary: 'The programs that run inside a service beside its own',
  description:
    'The newest first, all on one page: what runs, and of the detached ones the last 50 that have ended. Of a service that does not run: those alone.',
  params,
  responses: {
    200: jsonResponse('The programs.', page(serviceExec, 'ServiceExecPage')),
    ...problems(400, 404, 504),
  },
};

const fileParams = params.extend({
  path: z.string().meta({ description: 'From the container’s root, as in `etc/hosts`.' }),
});
export const readFileDocument = {
  tags,
  security,
  operationId: 'getServiceFile',
  summary: 'A file of a running service',
  description:
    'A regular file of at most the operator’s RUNLET_MAX_FILE_BYTES, holes included; of one that grows meanwhile, as much as it was at first. It is copied before the answer begins, for a minute at most, and for as long as the client waits.',
  params: fileParams,
  responses: {
    200: { description: 'Its bytes.', content: binary },
    ...problems(400, 404, 409, 413, 503, 504),
  },
};

export const writeFileDocument = {
  tags,
  security,
  operationId: 'putServiceFile',
  summary: 'Write a file into a running service',
  description: 'The body is its bytes; folders on the way are made; links are never followed.',
  params: fileParams,
  bytes: 'The bytes of the file.',
  responses: { 204: empty('Written.'), ...problems(400, 404, 409, 413, 504) },
};

export const removeFileDocument = {
  tags,
  security,
  operationId: 'deleteServiceFile',
  summary: 'Remove a file of a running service',
  description: 'One that is not there is 404. Links are never followed.',
  params: fileParams,
  responses: { 204: empty('Removed.'), ...problems(400, 404, 409, 504) },
};

export const volumesDocument = {
  tags: ['Volumes'],
  security,
  operationId: 'listVolumes',
  summary: 'List volumes',
  description: 'All of the tenant’s volumes, each with the services that use it.',
  responses: { 200: jsonResponse('One page.', page(volume, 'VolumePage')), ...problems(400) },
};

export const deleteVolumeDocument = {
  tags: ['Volumes'],
  security,
  operationId: 'deleteVolume',
  summary: 'Delete a volume and all that is in it',
  description: 'While a service uses it, it is refused (409): remove the service first.',
  params: idParam('name', 'Its name.', 'data'),
  responses: { 204: empty('Deleted.'), ...problems(400, 404, 409, 504) },
};
