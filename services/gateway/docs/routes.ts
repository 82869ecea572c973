import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { json } from '../http/answers.ts';
import { jsonResponse } from '../http/describe.ts';
import { type App, mount } from '../http/mount.ts';
import { openApiJson } from './openapi.ts';

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

const page = `<!doctype html>
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

/** The OpenAPI document and a page to read it, all served from here. */
export function mountDocs(app: App): void {
  let document: string | undefined;
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
        responses: { 200: jsonResponse('OpenAPI 3.1.', z.record(z.string(), z.unknown())) },
      },
    },
    () => {
      // Made at the first request, when every route is mounted.
      document ??= openApiJson(app);
      return json(200, document, { 'cache-control': 'no-cache' });
    },
  );

  const headers = (type: string) => ({
    'content-type': type,
    'content-security-policy': policy,
    'cache-control': 'public, max-age=3600',
  });
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
        responses: { 200: { description: 'A page.', content: { 'text/html': { schema: z.string() } } } },
      },
    },
    (c) => c.body(page, 200, headers('text/html; charset=utf-8')),
  );
  app.get('/docs/start.js', (c) => {
    c.set('route', '/docs');
    return c.body(start, 200, headers('text/javascript; charset=utf-8'));
  });
  for (const [name, type] of Object.entries(assets)) {
    app.get(`/docs/${name}`, async (c) => {
      c.set('route', '/docs');
      return c.body(new Uint8Array(await readFile(join(folder, name))), 200, headers(type));
    });
  }
}
