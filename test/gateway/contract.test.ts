import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import { problemCodes } from '../../shared/problems.ts';
import { sseReader } from './sse.ts';
import { startGateway, type TestGateway } from './support.ts';
import { actAsWorker } from './worker.ts';

type Operation = {
  operationId?: string;
  summary?: string;
  description?: string;
  security?: unknown[];
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: { content: Record<string, { schema: object; example?: unknown }> };
  responses: Record<
    string,
    { description: string; headers?: object; content?: Record<string, { schema: object }> }
  >;
};
type Document = {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object>; securitySchemes: object };
};

const openPaths = ['/', '/healthz', '/readyz', '/openapi.json', '/docs', '/docs/problems/{code}'];

let on: TestGateway;
let document: Document;
let ajv: Ajv2020;
beforeAll(async () => {
  on = await startGateway();
  document = (await (await fetch(`${on.url}/openapi.json`)).json()) as Document;
  ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema(closed(document) as object, 'doc');
});
afterAll(() => on.stop());

/** As strict as can be: what the document does not name must not be there. Only the masked request is free. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== 'object' || node === null) return node;
  const all = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]));
  return 'properties' in all && !('additionalProperties' in all)
    ? { ...all, additionalProperties: false }
    : all;
}

const pointer = (...parts: string[]) =>
  `doc#/${parts.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;

function validator(...parts: string[]): ValidateFunction {
  return ajv.compile({ $ref: pointer(...parts) });
}

/** Checks an answer against the document: its status, its type, every field of it. */
async function conforms(method: string, template: string, response: Response): Promise<unknown> {
  const operation = document.paths[template]?.[method.toLowerCase()];
  const documented = operation?.responses[String(response.status)];
  const text = await response.text();
  expect(documented, `${method} ${template} ${response.status}: ${text}`).toBeDefined();
  const type = (response.headers.get('content-type') ?? '').split(';', 1)[0] ?? '';
  if (documented?.content === undefined) {
    expect(text).toBe('');
    return undefined;
  }
  expect(Object.keys(documented.content)).toContain(type);
  if (!type.endsWith('json')) return text;
  const body: unknown = JSON.parse(text);
  const validate = validator(
    'paths',
    template,
    method.toLowerCase(),
    'responses',
    String(response.status),
    'content',
    type,
    'schema',
  );
  expect(validate(body), JSON.stringify([validate.errors, body], null, 1)).toBe(true);
  return body;
}

describe('the document', () => {
  test('is OpenAPI 3.1, whole: every reference leads somewhere, every route says what it does', () => {
    expect(document.openapi).toBe('3.1.0');
    const text = JSON.stringify(document);
    for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g))
      expect(document.components.schemas[name], name).toBeDefined();
    const ids = new Set<string>();
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const operation of Object.values(operations)) {
        expect(operation.summary).toBeTruthy();
        expect(operation.description, operation.operationId).toBeTruthy();
        for (const { in: place, name } of operation.parameters ?? [])
          if (place === 'header') expect(name).toMatch(/^(?:[A-Z][a-z]*|ID)(?:-(?:[A-Z][a-z]*|ID))*$/);
        expect(ids.has(operation.operationId ?? '')).toBe(false);
        ids.add(operation.operationId ?? '');
        const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        const params = (operation.parameters ?? []).filter((one) => one.in === 'path');
        expect(params.map(({ name }) => name).sort()).toEqual(named.sort());
        expect(params.every(({ required }) => required === true)).toBe(true);
        const open = openPaths.includes(path);
        expect(operation.security).toEqual(open ? [] : [{ apiKey: [] }]);
        if (!open) expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['401', '503']));
      }
    }
  });

  test('every JSON answer has a schema with a name, which generated clients call it by', () => {
    for (const operations of Object.values(document.paths))
      for (const { operationId, responses } of Object.values(operations))
        for (const { content = {} } of Object.values(responses))
          for (const [type, { schema }] of Object.entries(content))
            if (/json|event-stream/.test(type)) expect(schema, operationId).toHaveProperty('$ref');
  });

  test('a schema with a name is never null: who may be null says so beside the name', () => {
    for (const [name, { type }] of Object.entries(document.components.schemas) as [
      string,
      { type?: unknown },
    ][])
      expect(Array.isArray(type), name).toBe(false);
    expect(document.components.schemas.Run).toMatchObject({
      properties: { error: { anyOf: [{ $ref: '#/components/schemas/Problem' }, { type: 'null' }] } },
    });
  });

  test('a problem’s code is one of those that there are', () => {
    expect(document.components.schemas.Problem).toMatchObject({
      properties: { code: { enum: problemCodes } },
    });
  });

  test('a default is told in words: as a keyword, generated clients demand the field or send it unasked', () => {
    for (const [name, schema] of Object.entries(document.components.schemas))
      expect(JSON.stringify(schema), name).not.toMatch(/"default":(?!\{"(?:type|description|\$ref)")/);
    expect(document.components.schemas.KeepAlive).toMatchObject({
      properties: { forMs: { description: 'Default: `0`.' } },
    });
  });

  test('has every route of the contract that is built', () => {
    const all = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(all.sort()).toEqual(
      [
        'post /v1/runs',
        'get /v1/runs',
        'post /v1/runs/batch',
        'get /v1/runs/{id}',
        'delete /v1/runs/{id}',
        'post /v1/runs/{id}/cancel',
        'get /v1/runs/{id}/events',
        'get /v1/runs/{id}/artifacts/{path}',
        'get /v1/runs/{id}/attach',
        'get /v1/languages',
        'get /v1/images',
        'post /v1/images/pull',
        'delete /v1/images/{ref}',
        'get /v1/keys',
        'post /v1/keys',
        'delete /v1/keys/{id}',
        'get /v1/registries',
        'put /v1/registries/{host}',
        'delete /v1/registries/{host}',
        'post /v1/webhooks',
        'get /v1/webhooks',
        'get /v1/webhooks/{id}',
        'patch /v1/webhooks/{id}',
        'delete /v1/webhooks/{id}',
        'post /v1/webhooks/{id}/rotate',
        'post /v1/webhooks/{id}/test',
        'get /v1/deliveries',
        'get /v1/deliveries/{id}',
        'post /v1/deliveries/{id}/redeliver',
        'post /v1/deliveries/redeliver',
        'get /v1/events',
        'post /v1/services',
        'get /v1/services',
        'get /v1/services/{id}',
        'delete /v1/services/{id}',
        'post /v1/services/{id}/start',
        'post /v1/services/{id}/stop',
        'post /v1/services/{id}/restart',
        'post /v1/services/{id}/keepalive',
        'post /v1/services/{id}/url',
        'post /v1/services/{id}/exec',
        'get /v1/services/{id}/exec',
        'get /v1/services/{id}/logs',
        'get /v1/services/{id}/files/{path}',
        'put /v1/services/{id}/files/{path}',
        'delete /v1/services/{id}/files/{path}',
        'get /v1/volumes',
        'delete /v1/volumes/{name}',
        'get /v1/workers',
        'post /v1/workers/{id}/drain',
        'delete /v1/workers/{id}/drain',
        'get /healthz',
        'get /readyz',
        'get /metrics',
        'get /openapi.json',
        'get /docs',
        'get /docs/problems/{code}',
        'get /',
      ].sort(),
    );
  });

  test('its examples are valid requests by its own schemas', () => {
    let examples = 0;
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const content = operation.requestBody?.content['application/json'];
        if (content === undefined) continue;
        const validate = validator(
          'paths',
          path,
          method,
          'requestBody',
          'content',
          'application/json',
          'schema',
        );
        expect(content.example, path).toBeDefined();
        expect(validate(content.example), JSON.stringify(validate.errors)).toBe(true);
        examples += 1;
      }
    }
    expect(examples).toBe(12);
  });

  test('what it refuses is refused, and what it allows is taken', async () => {
    const validate = validator(
      'paths',
      '/v1/runs',
      'post',
      'requestBody',
      'content',
      'application/json',
      'schema',
    );
    for (const body of [
      { image: 'busybox' },
      {
        image: 'busybox',
        command: ['a'],
        env: { A: 'b' },
        limits: { cpus: 0.5 },
        metadata: { a: 'b' },
        priority: 100,
      },
      { language: 'python', code: 'print(1)', limits: { timeoutMs: 1000 } },
      { image: 'busybox', language: 'python', code: 'print(1)' },
      { image: 'busybox', code: 'echo' },
      { language: 'python', code: 'print(1)', command: ['a'] },
      { metadata: {} },
      { image: 'busybox', foo: 1 },
      { image: 'busybox', limits: { memoryBytes: 0 } },
      { image: 'busybox', limits: { more: 1 } },
      { image: 'busybox', command: 'echo' },
      { image: 'busybox', network: 'host' },
      { image: 'busybox', priority: 101 },
      { image: 5 },
    ]) {
      const response = await on.call('POST', '/v1/runs', body);
      expect(response.status === 202, JSON.stringify(body)).toBe(validate(body));
      await conforms('POST', '/v1/runs', response);
    }
  });
});

describe('answers are as documented', () => {
  const image = { image: 'hello-world' };
  const create = async () => (await (await on.call('POST', '/v1/runs', image)).json()) as Run;

  test('runs, in every state', async () => {
    const worker = actAsWorker(on);
    const get = async (id: string) =>
      conforms('GET', '/v1/runs/{id}', await on.call('GET', `/v1/runs/${id}`));
    const run = await create();
    await get(run.id);
    const holder = await worker.start(run.id);
    await get(run.id);
    await worker.out(holder, 'x');
    await worker.finish(holder, 'failed', {
      exitCode: 137,
      signal: 'SIGKILL',
      image: { reference: 'hello-world:latest', digest: `sha256:${'0'.repeat(64)}` },
      timings: { queuedMs: 1, pullMs: null, startMs: 2.5, runMs: 3, totalMs: 4 },
      usage: { cpuMs: 1, maxMemoryBytes: 2 },
    });
    await get(run.id);
    const bad = await create();
    await worker.finish(await worker.claim(bad.id), 'errored', {
      error: { type: 't', title: 't', status: 404, detail: 'd', code: 'image_not_found' },
    });
    expect(await get(bad.id)).toMatchObject({ error: { code: 'image_not_found' } });
    await conforms('GET', '/v1/runs', await on.call('GET', '/v1/runs?limit=3'));
    await conforms('POST', '/v1/runs/{id}/cancel', await on.call('POST', `/v1/runs/${run.id}/cancel`));
    await conforms('DELETE', '/v1/runs/{id}', await on.call('DELETE', `/v1/runs/${run.id}`));
    await conforms('DELETE', '/v1/runs/{id}', await on.call('DELETE', `/v1/runs/${run.id}`));
    await conforms('DELETE', '/v1/runs/{id}', await on.call('DELETE', `/v1/runs/${(await create()).id}`));
    await conforms('GET', '/v1/runs/{id}/events', await on.call('GET', `/v1/runs/${bad.id}/events`));
    await conforms(
      'GET',
      '/v1/runs/{id}/artifacts/{path}',
      await on.call('GET', `/v1/runs/${bad.id}/artifacts/a`),
    );
    await conforms('POST', '/v1/runs', await on.call('POST', '/v1/runs', image, { prefer: 'wait=1' }));
    await conforms('POST', '/v1/runs/batch', await on.call('POST', '/v1/runs/batch', { runs: [image, {}] }));
  });

  test('operators’ routes', async () => {
    await conforms('GET', '/readyz', await fetch(`${on.url}/readyz`));
    await conforms('POST', '/v1/images/pull', await on.call('POST', '/v1/images/pull', image));
    const worker = actAsWorker(on);
    await worker.beat({}, [{ reference: 'a:1', id: 'sha256:1' }]);
    for (const path of ['/readyz', '/healthz', '/openapi.json', '/docs', '/'])
      await conforms('GET', path, await fetch(`${on.url}${path}`));
    await conforms('GET', '/', await fetch(on.url, { headers: { accept: 'text/html' } }));
    for (const code of ['not_found', 'nonsense'])
      await conforms('GET', '/docs/problems/{code}', await fetch(`${on.url}/docs/problems/${code}`));
    for (const path of ['/v1/workers', '/v1/images', '/v1/languages', '/metrics'])
      await conforms('GET', path, await on.call('GET', path));
    await conforms('POST', '/v1/workers/{id}/drain', await on.call('POST', `/v1/workers/${worker.id}/drain`));
    const credentials = { username: 'a', password: 'b' };
    await conforms(
      'PUT',
      '/v1/registries/{host}',
      await on.call('PUT', '/v1/registries/x.example', credentials),
    );
    await conforms('GET', '/v1/registries', await on.call('GET', '/v1/registries'));
    await conforms('DELETE', '/v1/registries/{host}', await on.call('DELETE', '/v1/registries/x.example'));
    await on.gateway.workers.leave(worker.id);
  });

  test('refusals, on every route', async () => {
    for (const [template, operations] of Object.entries(document.paths)) {
      for (const method of Object.keys(operations)) {
        const path = template.replace('{path}', 'a').replace(/\{\w+\}/, 'x');
        if (!openPaths.includes(template))
          await conforms(method, template, await fetch(`${on.url}${path}`, { method: method.toUpperCase() }));
        const answer = await on.call(
          method.toUpperCase(),
          `${path}?nonsense=1`,
          method === 'post' || method === 'put' ? '{' : undefined,
        );
        expect(answer.status).toBe(400);
        if (operations[method]?.responses['400'] !== undefined) await conforms(method, template, answer);
      }
    }
  });
});

test('events are as documented', async () => {
  const run = (await (await on.call('POST', '/v1/runs', { image: 'hello-world' })).json()) as Run;
  const worker = actAsWorker(on);
  const holder = await worker.start(run.id);
  const layers = [{ id: 'a', status: 'extracting', currentBytes: 1, totalBytes: 2 }];
  await worker.append(
    holder,
    { type: 'pull', data: JSON.stringify({ reference: 'a', status: 'pulling', layers }) },
    { type: 'stdout', data: 'x' },
    { type: 'stderr', data: Buffer.from([255]) },
  );
  const error = { type: 't', title: 't', status: 500, detail: 'd', code: 'container_lost' };
  await worker.finish(holder, 'errored', { error, exitCode: null });
  const events = await sseReader(await on.call('GET', `/v1/runs/${run.id}/events`)).all();
  const streamed = validator(
    'paths',
    '/v1/runs/{id}/events',
    'get',
    'responses',
    '200',
    'content',
    'text/event-stream',
    'schema',
  );
  expect(events.map(({ event }) => event)).toEqual(['status', 'status', 'pull', 'stdout', 'stderr', 'exit']);
  for (const { event = '', data } of events) {
    expect(JSON.parse(data).type).toBe(event);
    expect(streamed(JSON.parse(data)), JSON.stringify([streamed.errors, data])).toBe(true);
  }
});
