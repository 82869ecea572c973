import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../shared/ids.ts';
import { type Call, problemOf, runOf, startGateway, type TestGateway } from './support.ts';
import { actAsWorker } from './worker.ts';

let on: TestGateway;
let stranger: Call;
let user: Call;
beforeAll(async () => {
  on = await startGateway();
  stranger = await on.caller('other-tenant', 'admin');
  user = await on.caller('default', 'user');
});
afterAll(() => on.stop());

const image = { image: 'hello-world' };

const routes: [method: string, path: string][] = [
  ['POST', '/v1/runs'],
  ['GET', '/v1/runs'],
  ['POST', '/v1/runs/batch'],
  ['GET', '/v1/runs/run_x'],
  ['DELETE', '/v1/runs/run_x'],
  ['POST', '/v1/runs/run_x/cancel'],
  ['GET', '/v1/runs/run_x/events'],
  ['GET', '/v1/runs/run_x/artifacts/a'],
  ['GET', '/v1/workers'],
  ['POST', '/v1/workers/wrk_x/drain'],
  ['DELETE', '/v1/workers/wrk_x/drain'],
  ['GET', '/v1/images'],
  ['POST', '/v1/images/pull'],
  ['DELETE', '/v1/images/x'],
  ['GET', '/v1/registries'],
  ['PUT', '/v1/registries/x.example'],
  ['DELETE', '/v1/registries/x.example'],
  ['GET', '/metrics'],
  ['GET', '/nowhere'],
  ['GET', '/docsx'],
];

describe('without a key that is known', () => {
  test.each(routes)('%s %s is 401', async (method, path) => {
    for (const authorization of [undefined, 'Bearer', 'Bearer rlk_unknown', 'Basic YTpi', 'Bearer a b']) {
      const response = await fetch(`${on.url}${path}`, {
        method,
        headers: { ...(authorization !== undefined && { authorization }) },
      });
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
      await problemOf(response, 401, 'unauthorized');
    }
  });

  test('the title tells a key that is not accepted from one that is missing', async () => {
    const titleFor = async (headers: Record<string, string>) =>
      (await problemOf(await fetch(`${on.url}/v1/runs`, { headers }), 401, 'unauthorized')).title;
    expect(await titleFor({})).toBe('An API key is required');
    expect(await titleFor({ authorization: 'Basic YTpi' })).toBe('An API key is required');
    expect(await titleFor({ authorization: 'Bearer rlk_unknown' })).toBe('The API key is not accepted');
  });

  test.each([
    '/',
    '/favicon.ico',
    '/robots.txt',
    '/docs/',
    '/docs/problems',
    '/docs/problems/not_found',
    '/healthz',
    '/openapi.json',
    '/docs',
    '/docs/start.js',
    '/docs/swagger-ui.css',
    '/docs/swagger-ui-bundle.js',
  ])('%s is open', async (path) => {
    const response = await fetch(`${on.url}${path}`);
    expect(response.status).toBe(200);
    expect((await response.text()).length).toBeGreaterThan(10);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  test.each(['/docs/nothing.js', '/docs/..%2fpackage.json', '/docs/package.json'])(
    '%s is not served',
    async (path) => {
      await problemOf(await fetch(`${on.url}${path}`), 404, 'not_found');
    },
  );

  test('the docs page has no inline script', async () => {
    const response = await fetch(`${on.url}/docs`);
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("script-src 'self';");
    expect(await response.text()).not.toMatch(/<script>|<script [^>]*>[^<]/);
  });
});

describe('routes', () => {
  test('an unknown one is 404', async () => {
    for (const path of ['/v1', '/v1/run', '/v1/runs/', '/v1/runs/a/b/c', '/v2/runs', '/robots.txt/'])
      expect(await problemOf(await on.call('GET', path), 404, 'not_found')).toMatchObject({
        title: 'There is no such route',
        detail: expect.stringContaining(path),
      });
  });

  test.each([
    ['PUT', '/v1/runs', 'GET, HEAD, POST'],
    ['GET', '/v1/runs/batch/', undefined],
    ['PATCH', '/v1/runs/run_x', 'DELETE, GET, HEAD'],
    ['GET', '/v1/runs/run_x/cancel', 'POST'],
    ['POST', '/v1/workers', 'GET, HEAD'],
    ['POST', '/metrics', 'GET, HEAD'],
    ['GET', '/v1/registries/x.example', 'DELETE, PUT'],
    ['OPTIONS', '/v1/images/pull', 'DELETE, POST'],
  ])('%s %s names what is allowed', async (method, path, allow) => {
    const response = await on.call(method, path);
    if (allow === undefined) return void (await problemOf(response, 404, 'not_found'));
    expect(response.headers.get('allow')?.split(', ').sort().join(', ')).toBe(allow);
    await problemOf(response, 405, 'method_not_allowed');
  });

  test('answers carry the headers that keep them private, and the request’s id', async () => {
    const response = await on.call('GET', '/v1/runs', undefined, { 'x-request-id': 'abc-1' });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'abc-1',
    });
    const other = await on.call('GET', '/v1/runs', undefined, { 'x-request-id': 'not good' });
    expect(other.headers.get('x-request-id')).toMatch(/^[0-9a-f]{16}$/);
  });

  test('HEAD answers as GET does, without a body', async () => {
    const response = await on.call('HEAD', '/v1/runs');
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('');
  });
});

describe('somebody else’s run is not found', () => {
  test.each([
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/cancel'],
    ['GET', '/events'],
    ['GET', '/artifacts/a'],
  ])('%s %s', async (method, rest) => {
    const run = await runOf(await on.call('POST', '/v1/runs', image), 202);
    const mine = await on.call('GET', `/v1/runs/${run.id}`);
    const theirs = await problemOf(await stranger(method, `/v1/runs/${run.id}${rest}`), 404, 'not_found');
    const unknown = await problemOf(
      await stranger(method, `/v1/runs/${newId('run')}${rest}`),
      404,
      'not_found',
    );
    // One cannot tell the two apart.
    expect(theirs.detail.replace(/run_\w+/, '')).toBe(unknown.detail.replace(/run_\w+/, ''));
    expect(await (await on.call('GET', `/v1/runs/${run.id}`)).json()).toEqual(await mine.json());
  });

  test.each([
    'run_x',
    'svc_01931f0a7c5e7c4f8a3b2c1d0e9f8a7b',
    '%00',
    '..%2f..',
    'run_%7B%7D',
    `run_${'0'.repeat(33)}`,
  ])('an id that cannot be: %s', async (id) => {
    await problemOf(await on.call('GET', `/v1/runs/${id}`), 404, 'not_found');
  });

  test('lists and filters do not show it', async () => {
    await runOf(await on.call('POST', '/v1/runs', { ...image, metadata: { k: 'v' } }), 202);
    for (const path of ['/v1/runs', '/v1/runs?metadata.k=v', '/v1/runs?status=queued'])
      expect(await (await stranger('GET', path)).json()).toEqual({ data: [], nextCursor: null });
  });

  test('an Idempotency-Key is each tenant’s own', async () => {
    const headers = { 'idempotency-key': 'same' };
    const mine = await runOf(await on.call('POST', '/v1/runs', image, headers), 202);
    const theirs = await runOf(await stranger('POST', '/v1/runs', image, headers), 202);
    expect(theirs.id).not.toBe(mine.id);
  });
});

describe('roles', () => {
  test.each([
    ['POST', `/v1/workers/${newId('wrk')}/drain`],
    ['DELETE', '/v1/images/busybox'],
    ['GET', '/metrics'],
  ])('%s %s is for admins', async (method, path) => {
    await problemOf(await user(method, path), 403, 'forbidden');
  });

  test('a user runs', async () => {
    const run = await runOf(await user('POST', '/v1/runs', image), 202);
    await actAsWorker(on).perform(run.id);
    expect((await user('DELETE', `/v1/runs/${run.id}`)).status).toBe(204);
  });
});
