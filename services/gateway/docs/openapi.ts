import { readFileSync } from 'node:fs';
import type { RouteConfig } from '@hono/zod-openapi';
import type { z } from 'zod';
import { attachError, attachInput } from '../../../shared/contracts/attach.ts';
import { exitEvent, outputEvent, pullEvent, statusEvent } from '../../../shared/contracts/events.ts';
import { problemBody } from '../../../shared/contracts/problem.ts';
import type { App } from '../http/mount.ts';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** What only features know, and no route of theirs shows: data of their event streams, and the requests that Runlet makes. */
export type MoreSchemas = { pullProgress: z.ZodType; webhookEvent: z.ZodType; callback: RouteConfig };

/** Before any route: a schema that is first seen as nullable would be registered as nullable for all. */
export function registerSchemas(app: App, { pullProgress, webhookEvent, callback }: MoreSchemas): void {
  app.openAPIRegistry.register('Problem', problemBody);
  // The data of server-sent events, which OpenAPI cannot tie to their stream: named in the routes' descriptions.
  app.openAPIRegistry.register('StatusEvent', statusEvent);
  app.openAPIRegistry.register('PullEvent', pullEvent);
  app.openAPIRegistry.register('OutputEvent', outputEvent);
  app.openAPIRegistry.register('ExitEvent', exitEvent);
  app.openAPIRegistry.register('PullProgress', pullProgress);
  app.openAPIRegistry.register('WebhookEvent', webhookEvent);
  app.openAPIRegistry.registerWebhook(callback);
  // Messages of the WebSocket.
  app.openAPIRegistry.register('AttachInput', attachInput);
  app.openAPIRegistry.register('AttachError', attachError);
  app.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    description:
      'An API key, as in `Authorization: Bearer rlk_…`. It has a role: what only an `admin` may do says so, and answers a `member` with 403, `forbidden`.',
  });
}

/** OpenAPI 3.1 of all mounted routes, as JSON; made once. */
export function openApiJson(app: App): string {
  return JSON.stringify(
    withNullableReferences(
      app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          title: 'Runlet',
          version,
          description:
            'Runs what you POST, once, in a fresh isolated container that ends and disappears by itself.\n\nUnits are in the names (`…Ms`, `…Bytes`); times are RFC 3339 in UTC. Unknown fields and query parameters are refused. A body is JSON in UTF-8, nested no deeper than 32 levels, and its strings are well-formed Unicode: half of a surrogate pair, as a text has it that was cut within a character, is refused. So are percent-escapes in a path or a query that are no UTF-8. Errors are RFC 9457 problem details; `code` is from a closed set and `type` ends in it. A list’s `cursor` is opaque. An answer to an unknown route is 404, to a wrong method 405 with `Allow`.',
        },
        servers: [{ url: '/' }],
        security: [{ apiKey: [] }],
        tags: [
          { name: 'Runs', description: 'One container, run once.' },
          { name: 'Languages', description: 'What code can be written in.' },
          { name: 'Services', description: 'Containers that are kept alive.' },
          { name: 'Volumes', description: 'What outlives a service.' },
          { name: 'Webhooks', description: 'Results that are pushed, signed and never lost.' },
          { name: 'Images', description: 'What workers have, and where it comes from.' },
          { name: 'Keys', description: 'Who may call, and who no longer.' },
          { name: 'Workers', description: 'Who runs it all.' },
          { name: 'Health', description: 'For operators and their machines.' },
        ],
      }),
    ),
  );
}

/**
 * The generator writes a nullable component as `allOf: [$ref, {type: [T, "null"]}]`, which null never satisfies: the
 * component itself says `type: T`. Made into `anyOf: [$ref, {type: "null"}]`.
 */
function withNullableReferences(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withNullableReferences);
  if (typeof node !== 'object' || node === null) return node;
  const { allOf, ...rest } = node as { allOf?: unknown };
  const all = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, withNullableReferences(value)]),
  );
  if (!Array.isArray(allOf)) return all;
  const [reference, other] = allOf as [{ $ref?: string }, { type?: unknown }];
  const nullable =
    allOf.length === 2 &&
    reference.$ref !== undefined &&
    Array.isArray(other.type) &&
    other.type.includes('null');
  return nullable
    ? { ...all, anyOf: [reference, { type: 'null' }] }
    : { ...all, allOf: allOf.map(withNullableReferences) };
}
