import { html } from 'hono/html';
import { page, pagePolicy, pageType } from '../http/page.ts';
import type { Target } from './target.ts';

/** The fields of the page, in the place of a problem's: name, value, name, value. */
export const privatePageFields = ['Content-Type', pageType, 'Content-Security-Policy', pagePolicy];

/** The service as whoever asks has named it. Whether there is one, the page does not tell. */
function nameIn(target: Target): string {
  if (target.kind === 'name') return target.name;
  return target.kind === 'path' ? target.id : 'NAME';
}

/** For a browser that asks for a service, and may not, or not any more. */
export function privatePage(target: Target): Promise<string> {
  const name = nameIn(target);
  return page(
    'A private service · Runlet',
    html`<h1>This is private</h1>
<p>Whatever service may be here, only its owner may call it.</p>
<h2>Is it yours?</h2>
<p>Type this on your command line. It opens the service in your browser, by a link that is good for an hour:</p>
<pre>runlet open ${name}</pre>
<p>If it is somebody else’s, ask for a link. A link that worked before has expired.</p>
<p class="dim">Programs send an API key in the field <code>Authorization: Bearer</code>.</p>`,
  );
}
