import { z } from 'zod';
import { Problem, problemKinds } from '../../../shared/problems.ts';
import type { GatewayContext } from '../http/context.ts';
import { htmlResponse, idParam, openProblems, problems } from '../http/describe.ts';
import { fixedAnswer } from '../http/fixed.ts';
import { type App, mount } from '../http/mount.ts';
import { pagePolicy, pageType } from '../http/page.ts';
import { version } from './openapi.ts';
import { problemList, problemPage } from './problem-pages.ts';
import { icon, robots, welcomeJson, welcomePage } from './welcome.ts';

const tags = ['Health'];
const options = { maxBodyBytes: 0 };

const asPage = {
  'content-type': pageType,
  'content-security-policy': pagePolicy,
  'cache-control': 'no-cache',
};
const bytes = (text: string) => Buffer.from(text);

/** `/` for browsers and for programs, and what browsers and robots ask every server for. Open to all. */
export function mountWelcome(app: App, url: string): void {
  const vary = { vary: 'Accept' };
  const forPeople = fixedAnswer(async () => bytes(await welcomePage(url)), { ...asPage, ...vary });
  const forPrograms = fixedAnswer(() => bytes(welcomeJson(version)), {
    'content-type': 'application/json',
    'cache-control': 'no-cache',
    ...vary,
  });
  mount(
    app,
    options,
    {
      method: 'get',
      path: '/',
      document: {
        tags,
        security: [],
        operationId: 'getWelcome',
        summary: 'What this is',
        description: 'A page for browsers (`Accept: text/html`); for programs, where the API is documented.',
        responses: {
          200: {
            ...htmlResponse('What this is, and where to go on.'),
            content: { 'application/json': { schema: welcome }, 'text/html': { schema: z.string() } },
          },
          ...openProblems(400),
        },
      },
    },
    (c) => (/\btext\/html\b/i.test(c.req.header('accept') ?? '') ? forPeople(c) : forPrograms(c)),
  );
  const day = { 'cache-control': 'public, max-age=86400' };
  serve(
    app,
    '/favicon.ico',
    fixedAnswer(() => bytes(icon), { 'content-type': 'image/svg+xml', ...day }),
  );
  serve(
    app,
    '/robots.txt',
    fixedAnswer(() => bytes(robots), { 'content-type': 'text/plain; charset=utf-8', ...day }),
  );
}

const welcome = z
  .object({
    name: z.string(),
    version: z.string(),
    documentation: z.string().meta({ description: 'The path of a page to read and try the API.' }),
    openapi: z.string().meta({ description: 'The path of the OpenAPI document.' }),
  })
  .meta({ id: 'Welcome' });

/** A page for each code that an error can have. Open to all. */
export function mountProblemPages(app: App): void {
  serve(
    app,
    '/docs/problems',
    fixedAnswer(async () => bytes(await problemList()), asPage),
  );
  const pages = new Map<string, ReturnType<typeof fixedAnswer>>(
    problemKinds.map((kind) => [kind.code, fixedAnswer(async () => bytes(await problemPage(kind)), asPage)]),
  );
  const { 404: notFound } = problems(404);
  mount(
    app,
    options,
    {
      method: 'get',
      path: '/docs/problems/{code}',
      document: {
        tags,
        security: [],
        operationId: 'getProblemPage',
        summary: 'What an error means, and what to do',
        description: 'A page for browsers: the one that the `type` of a problem is named after.',
        params: idParam('code', 'The `code` of the problem.', 'image_not_found'),
        responses: { 200: htmlResponse('A page.'), 404: notFound },
      },
    },
    (c) => {
      const answer = pages.get(c.req.param('code') ?? '');
      if (answer === undefined)
        throw new Problem('not_found', 'There is no such code: see /docs/problems for all of them.');
      return answer(c);
    },
  );
}

/** Files beside the API, which the document does not name. */
export function serve(app: App, path: string, answer: (c: GatewayContext) => Promise<Response>): void {
  app.get(path, (c) => {
    c.set('route', path);
    return answer(c);
  });
}
