import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Problem, problemKinds } from '../../shared/problems.ts';
import { problemOf, startGateway, type TestGateway } from './support.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway({ RUNLET_PUBLIC_URL: 'https://runlet.example/' });
});
afterAll(() => on.stop());

const asked = (path: string, accept = 'text/html,application/xhtml+xml,*/*;q=0.8') =>
  fetch(`${on.url}${path}`, { headers: { accept } });

/** The text of a page of ours, with what holds for each of them. */
async function pageAt(path: string): Promise<string> {
  const answer = await asked(path);
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? '';
  const policy = answer.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain(`style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`);
  expect(policy).toContain("frame-ancestors 'none'");
  // Nothing that the policy would refuse, and nothing from elsewhere.
  expect(text).not.toMatch(/<script|<link|<img|style="|\son\w+=/);
  for (const [, href = ''] of text.matchAll(/href="([^"]*)"/g)) expect(href).toMatch(/^\//);
  expect(text).toContain('name="viewport"');
  expect(text).toContain('prefers-color-scheme: dark');
  return text;
}

describe('/', () => {
  test('is a page for browsers: what this is, where to go on, how to call it', async () => {
    const text = await pageAt('/');
    for (const part of [
      '<h1>Runlet</h1>',
      'href="/docs"',
      'href="/openapi.json"',
      'runlet login',
      'Authorization: Bearer',
      'curl -s https://runlet.example/v1/runs ',
    ])
      expect(text).toContain(part);
    expect((await asked('/')).headers.get('vary')).toMatch(/^Accept(,|$)/);
  });

  test.each(['*/*', 'application/json'])('names the documents for programs: %s', async (accept) => {
    const answer = await asked('/', accept);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('vary')).toMatch(/^Accept(,|$)/);
    const { documentation, openapi } = (await answer.json()) as Record<string, string>;
    for (const path of [documentation, openapi]) expect((await asked(path ?? '')).status).toBe(200);
  });

  test('every link of it leads somewhere', async () => {
    for (const [, href = ''] of (await pageAt('/')).matchAll(/href="([^"]*)"/g))
      expect((await asked(href)).status, href).toBe(200);
  });
});

test('what browsers and robots ask for is there', async () => {
  const icon = await asked('/favicon.ico');
  expect(icon.headers.get('content-type')).toBe('image/svg+xml');
  expect(await icon.text()).toContain('<svg');
  const robots = await asked('/robots.txt');
  expect(robots.headers.get('content-type')).toMatch(/^text\/plain/);
  expect(await robots.text()).toBe('User-agent: *\nDisallow: /\n');
  expect(await (await asked('/docs/')).text()).toBe(await (await asked('/docs')).text());
});

describe('/docs/problems', () => {
  test('lists every code, each with its page', async () => {
    const list = await pageAt('/docs/problems');
    for (const { code, status, title } of problemKinds) {
      expect(list).toContain(`href="/docs/problems/${code}"`);
      const text = await pageAt(`/docs/problems/${code}`);
      expect(text).toContain(`<code>${code}</code> · HTTP status ${status}`);
      expect(text).toContain('What to do');
      expect(text).toContain(`<h1>${title}</h1>`);
      expect(text).not.toContain('`');
      expect(new Problem(code, 'x').toBody().type.split('/').at(-1)).toBe(code);
    }
  });

  test.each(['nothing', '__proto__', '%3Cscript%3E', 'not_found%2F'])('has none for %s', async (code) => {
    await problemOf(await asked(`/docs/problems/${code}`), 404, 'not_found');
  });
});
