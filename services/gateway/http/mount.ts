import type { OpenAPIHono, RouteConfig } from '@hono/zod-openapi';
import { z } from 'zod';
import { Problem } from '../../../shared/problems.ts';
import { readJson } from './body.ts';
import type { GatewayContext, GatewayEnv } from './context.ts';
import { binary } from './describe.ts';
import { refuseBadEscapes } from './escapes.ts';
import { queryObject } from './query.ts';
import { textProblem, validationProblem } from './zod-problem.ts';

export type App = OpenAPIHono<GatewayEnv>;

/** One route: what documents it is what validates it. */
export type Endpoint<Body extends z.ZodType, Query extends z.ZodType> = {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** As OpenAPI writes it: `/v1/runs/{id}`. */
  path: string;
  /** The name of a last path parameter that may hold slashes. */
  rest?: string;
  /** Only for the role `admin`. */
  admin?: boolean;
  body?: Body;
  /** A list in the body whose entries the handler checks one by one: a bad entry must not keep the others out. */
  checkedByHandler?: string;
  query?: Query;
  /** For the document: everything that does not validate. */
  document: Omit<RouteConfig, 'method' | 'path' | 'request'> & {
    params?: z.ZodObject;
    headers?: z.ZodObject;
    /** Where the document needs another schema than the one that validates. */
    query?: z.ZodObject;
    body?: z.ZodType;
    example?: unknown;
    /** What a body of bytes is, where the body is not JSON. */
    bytes?: string;
  };
};

export type Input<Body extends z.ZodType, Query extends z.ZodType> = {
  body: z.output<Body>;
  query: z.output<Query>;
  /** The body as the client sent it. */
  text: string;
};

const nothing = z.strictObject({});

/** Registers the route in the document and in the router, with its validation in front of the handler. */
export function mount<Body extends z.ZodType = z.ZodUnknown, Query extends z.ZodType = typeof nothing>(
  app: App,
  options: { maxBodyBytes: number },
  endpoint: Endpoint<Body, Query>,
  handler: (c: GatewayContext, input: Input<Body, Query>) => Response | Promise<Response>,
): void {
  app.openAPIRegistry.registerPath(documented(endpoint));
  const pattern = endpoint.path.replace(/\{(\w+)\}/g, (_, name: string) =>
    name === endpoint.rest ? `:${name}{[^]+}` : `:${name}`,
  );
  app.on(endpoint.method.toUpperCase(), pattern, async (c) => {
    c.set('route', endpoint.path);
    if (endpoint.admin === true && c.var.identity.role !== 'admin')
      throw new Problem('forbidden', 'This needs an API key with the role `admin`.');
    refuseBadEscapes(c.req.url, endpoint);
    const query = validate(
      endpoint.query ?? nothing,
      queryObject(c.req.url),
      'is not a known query parameter',
      'the query',
    ) as z.output<Query>;
    if (endpoint.body === undefined)
      return handler(c, { query, body: undefined as z.output<Body>, text: '' });
    const { text, value } = await readJson(c, options.maxBodyBytes);
    // A body that is valid UTF-8 can be ill-formed only by escapes.
    const fault = text.includes('\\u') ? textProblem(without(value, endpoint.checkedByHandler)) : undefined;
    if (fault !== undefined) throw fault;
    return handler(c, { query, body: validate(endpoint.body, value), text });
  });
}

function without(value: unknown, field: string | undefined): unknown {
  if (field === undefined || typeof value !== 'object' || value === null) return value;
  return { ...value, [field]: undefined };
}

/** What the schema makes of it. Throws a Problem that names each fault. */
export function validate<T extends z.ZodType>(
  schema: T,
  value: unknown,
  unknown?: string,
  subject?: string,
): z.output<T> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw validationProblem(parsed.error, { schema, value, unknown, subject });
  return parsed.data;
}

function documented(endpoint: Endpoint<z.ZodType, z.ZodType>): RouteConfig {
  const { params, headers, query, body, example, bytes, ...rest } = endpoint.document;
  const bodySchema = body ?? endpoint.body;
  const querySchema = query ?? endpoint.query;
  return {
    ...rest,
    method: endpoint.method,
    path: endpoint.path,
    request: {
      ...(params !== undefined && { params }),
      ...(headers !== undefined && { headers }),
      ...(querySchema instanceof z.ZodObject && { query: querySchema }),
      ...(bodySchema !== undefined && {
        body: {
          required: true,
          content: { 'application/json': { schema: bodySchema, ...(example !== undefined && { example }) } },
        },
      }),
      ...(bytes !== undefined && {
        body: { required: true, description: bytes, content: binary },
      }),
    },
  };
}
