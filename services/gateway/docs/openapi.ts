import { readFileSync } from 'node:fs';
import type { App } from '../http/mount.ts';
import { defaultsInWords } from './defaults.ts';

export const { version, license } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as { version: string; license: string };

const licence = {
  name: license,
  // An SPDX expression. npm’s word for a package that nobody was given a licence for is none.
  identifier: license === 'UNLICENSED' ? 'LicenseRef-UNLICENSED' : license,
};

/** OpenAPI 3.1 of all mounted routes, as JSON; made once. */
export function openApiJson(app: App): string {
  app.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    description:
      'An API key, as in `Authorization: Bearer rlk_…`. It has a role: what only an `admin` may do says so, and answers a `member` with 403, `forbidden`.',
  });
  const { components, ...document } = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Runlet',
      version,
      description:
        'Runs what you POST, once, in a fresh isolated container that ends and disappears by itself.\n\nUnits are in the names (`…Ms`, `…Bytes`); times are RFC 3339 in UTC. Unknown fields and query parameters are refused. A body is JSON in UTF-8, nested no deeper than 32 levels, and its strings are well-formed Unicode: half of a surrogate pair, as a text has it that was cut within a character, is refused. So are percent-escapes in a path or a query that are no UTF-8. Errors are RFC 9457 problem details; `code` is from a closed set and `type` ends in it. A list’s `cursor` is opaque. An answer to an unknown route is 404, to a wrong method 405 with `Allow`.',
      contact: { name: 'The operator of this server' },
      license: licence,
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
  });
  const schemas = Object.entries(components?.schemas ?? {}).map(([name, schema]) => [
    name,
    defaultsInWords(schema),
  ]);
  return JSON.stringify({ ...document, components: { ...components, schemas: Object.fromEntries(schemas) } });
}
