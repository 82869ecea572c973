import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Gateway } from '../gateway.ts';
import { empty, htmlResponse, jsonResponse, openProblems, textHeader } from '../http/describe.ts';
import { fixedAnswer } from '../http/fixed.ts';
import { type App, mount } from '../http/mount.ts';
import { pageType } from '../http/page.ts';
import { openApiJson } from './openapi.ts';
import { mountProblemPages, mountWelcome, serve } from './pages.ts';

const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

const tags = ['Health'];

/** All that is served, by name: nothing else of the folder, and no path is ever built from a request. */
const assets: Record<string, string> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

/**
 * No inline script and nothing from elsewhere. Styles are inline in Swagger UI itself; its icons are data: URLs.
 */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const swagger = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Runlet API</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<noscript>The document itself: <a href="/openapi.json">/openapi.json</a></noscript>
<div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const start = `window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#ui',
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
`;

export type DocsParts = Pick<Gateway, 'env'>;

/** The OpenAPI document and a page to read it, all served from here. */
export function mountDocs(app: App, { env }: DocsParts): void {
  mount(
    app,
    { maxBodyBytes: 0 },
    {
      method: 'get',
      path: '/openapi.json',
      document: {
        tags,
        security: [],
        operationId: 'getOpenApi',
        summary: 'This document',
        description: 'OpenAPI 3.1 of all that this server does. Clients can be generated from it.',
        headers: z.object({
          'If-None-Match': z.string().optional().meta({ description: 'An ETag that is held.' }),
        }),
        responses: {
          200: jsonResponse(
            'OpenAPI 3.1.',
            z.record(z.string(), z.unknown()).meta({ id: 'OpenApiDocument' }),
            { ETag: textHeader('Changes with the document.') },
          ),
          304: empty('The client has it.'),
          ...openProblems(400),
        },
      },
    },
    // Made at the first request, when every route is mounted.
    fixedAnswer(() => Buffer.from(openApiJson(app)), {
      'content-type': 'application/json',
      'cache-control': 'no-cache',
    }),
  );

  const headers = (type: string) => ({
    'content-type': type,
    'content-security-policy': policy,
    'cache-control': 'public, max-age=3600',
  });
  const reader = fixedAnswer(() => Buffer.from(swagger), headers(pageType));
  mount(
    app,
    { maxBodyBytes: 0 },
    {
      method: 'get',
      path: '/docs',
      document: {
        tags,
        security: [],
        operationId: 'getDocs',
        summary: 'This document, to read and try',
        description: 'A page for browsers. It needs no network but this server.',
        responses: { 200: htmlResponse('A page.'), ...openProblems(400) },
      },
    },
    reader,
  );
  serve(app, '/docs/', reader);
  serve(
    app,
    '/docs/start.js',
    fixedAnswer(() => Buffer.from(start), headers('text/javascript; charset=utf-8')),
  );
  for (const [name, type] of Object.entries(assets))
    serve(
      app,
      `/docs/${name}`,
      fixedAnswer(() => readFile(join(folder, name)), headers(type)),
    );

  mountWelcome(app, env.RUNLET_PUBLIC_URL.replace(/\/+$/, ''));
  mountProblemPages(app);
}
