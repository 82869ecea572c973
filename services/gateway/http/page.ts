import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';

/** What `html` makes: text in which every value was escaped. */
export type Markup = ReturnType<typeof html>;

const style = `
:root { color-scheme: light dark; --text: #1c2330; --dim: #5a6474; --back: #fff; --box: #f2f4f8; --link: #0b57d0; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e9ef; --dim: #a2abba; --back: #12151b; --box: #1d222b; --link: #8ab4f8; }
}
body { max-width: 42rem; margin: 0 auto; padding: 2rem 1rem 4rem; background: var(--back); color: var(--text);
  font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { margin: 0 0 .5rem; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 2rem 0 .5rem; font-size: 1.15rem; }
a { color: var(--link); }
.dim { color: var(--dim); }
code, pre { font: .9em/1.5 ui-monospace, monospace; background: var(--box); border-radius: .3rem; }
code { padding: .1em .3em; }
pre { padding: .8rem 1rem; overflow-x: auto; }
ul { padding-left: 1.2rem; }
`;

/** No script, nothing from elsewhere, and of styles only this one. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export const pageType = 'text/html; charset=utf-8';

/** A page of our own, whole in itself: readable on small screens, light or dark as the reader has it. */
export async function page(title: string, body: Markup): Promise<string> {
  const text = await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${raw(style)}</style>
</head>
<body>
${body}
</body>
</html>
`;
  return text.toString();
}
