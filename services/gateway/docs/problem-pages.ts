import { html } from 'hono/html';
import { type ProblemKind, problemKinds } from '../../../shared/problems.ts';
import { type Markup, page } from '../http/page.ts';
import { problemAdvice } from './problem-advice.ts';

/** The page of one code: what it means, and what to do. */
export function problemPage({ code, status, title }: ProblemKind): Promise<string> {
  const { means, remedy } = problemAdvice[code];
  return page(
    `${title} · Runlet`,
    html`<p class="dim"><a href="/docs/problems">Errors</a></p>
<h1>${title}</h1>
<p class="dim"><code>${code}</code> · HTTP status ${status}</p>
<h2>What it means</h2>
<p>${prose(means)}</p>
<h2>What to do</h2>
<p>${prose(remedy)}</p>
<p class="dim">The <code>detail</code> of the answer says more of your case. For a field that is not valid, see its <code>errors</code>.</p>`,
  );
}

/** Text in which backticks stand around code. */
const prose = (text: string): Markup[] =>
  text.split('`').map((part, i) => (i % 2 === 0 ? html`${part}` : html`<code>${part}</code>`));

/** All codes, with links to their pages. */
export const problemList = (): Promise<string> =>
  page(
    'Errors · Runlet',
    html`<p class="dim"><a href="/">Runlet</a></p>
<h1>Errors</h1>
<p>Every error is a problem of RFC 9457. Its <code>code</code> is one of these. They answer requests, and they are the reasons why a run or a service ended.</p>
<ul>
${problemKinds.map(({ code, title }) => html`<li><a href="/docs/problems/${code}"><code>${code}</code></a> ${title}</li>\n`)}
</ul>`,
  );
