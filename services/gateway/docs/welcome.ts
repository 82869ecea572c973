import { html } from 'hono/html';
import { page } from '../http/page.ts';

/** The page at `/`: what this is, and how to call it. @param url where clients reach this server */
export const welcomePage = (url: string): Promise<string> =>
  page(
    'Runlet',
    html`<h1>Runlet</h1>
<p>This server runs what you send it: a container image by its name, or code in a language.
It runs once, in a fresh isolated container. Runlet also keeps services alive.</p>
<ul>
<li><a href="/docs">The API, to read and try</a></li>
<li><a href="/openapi.json">The API as an OpenAPI document</a>, for programs</li>
<li><a href="/docs/problems">Every error</a>, and what to do about it</li>
</ul>
<h2>Sign in</h2>
<p>Every call needs an API key. The first start of Runlet prints one. An administrator makes more with <code>runlet keys add</code>.</p>
<ul>
<li>On the <a href="/docs">API’s page</a>, press <b>Authorize</b> and paste it.</li>
<li>For the command line, type <code>runlet login</code>.</li>
<li>A program sends it in the field <code>Authorization: Bearer</code>.</li>
</ul>
<h2>Try it</h2>
<pre>export RUNLET_API_KEY=…

curl -s ${url}/v1/runs \\
  -H "Authorization: Bearer $RUNLET_API_KEY" \\
  -H 'Prefer: wait=30' \\
  -H 'Content-Type: application/json' \\
  -d '{"image": "hello-world"}'</pre>`,
  );

/** What programs are told at `/`. */
export const welcomeJson = (version: string): string =>
  JSON.stringify({ name: 'Runlet', version, documentation: '/docs', openapi: '/openapi.json' });

/** A small picture for the tabs of browsers. */
export const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0b57d0"/><path d="M11 8l13 8-13 8z" fill="#fff"/></svg>\n';

/** Nothing here is for search engines. */
export const robots = 'User-agent: *\nDisallow: /\n';
