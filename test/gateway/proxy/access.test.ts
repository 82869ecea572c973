import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signService } from '../../../services/gateway/services/signed-url.ts';
import { newId } from '../../../shared/ids.ts';
import {
  type Container,
  call,
  type Proxied,
  problemIn,
  startContainer,
  startProxied,
  ways,
} from './support.ts';

let on: Proxied;
let container: Container;
let mine: string;
let theirs: string;
beforeAll(async () => {
  container = await startContainer((incoming, outgoing) =>
    outgoing.end(JSON.stringify({ url: incoming.url, fields: incoming.rawHeaders })),
  );
  on = await startProxied();
  mine = await on.apiKey('default');
  theirs = await on.apiKey('acme');
});
afterAll(async () => {
  await on.stop();
  await container.stop();
});

const privately = (tenant = 'default') =>
  on.service({ at: container.port, tenant, request: { public: false } });
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const inAnHour = () => Date.now() + 3_600_000;
const sign = (id: string, until = inAnHour()) => signService(on.gateway.env.RUNLET_SECRET_KEY, id, until);

test.each(['//other.example/x', '/\\\\other.example/x', '/a?b=c'])(
  'the signed URL of %s is of the service’s host',
  async (path) => {
    const { host, id } = await privately();
    const answer = await fetch(`http://127.0.0.1:${on.port}/v1/services/${id}/url`, {
      method: 'POST',
      headers: { ...bearer(mine), 'content-type': 'application/json' },
      body: JSON.stringify({ path }),
    });
    expect(answer.status).toBe(201);
    const url = new URL(((await answer.json()) as { url: string }).url);
    expect(url.hostname).toBe(host.split(':')[0]);
    expect(url.searchParams.get('runlet_token')).not.toBeNull();
  },
);

describe.each(ways)('by the %s', (_, way) => {
  const get = (host: string, headers: Record<string, string | string[]> = {}, path = '/') =>
    call(on.port, host, path, { headers: { ...way, ...headers } });

  test('without credentials: 401, and how to do better', async () => {
    const { host, id } = await privately();
    for (const answer of [await get(host), await get('localhost', {}, `/s/${id}/`)]) {
      const problem = problemIn(answer);
      expect(problem).toMatchObject({ status: 401, code: 'unauthorized' });
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="runlet"');
      expect(problem.detail).toContain('signed URL');
    }
    expect(problemIn(await get(host, bearer('rlk_not-a-key'))).status).toBe(401);
    expect(problemIn(await get(host, { authorization: 'Basic eDp5' })).status).toBe(401);
    expect(container.seen.filter(({ headers }) => headers.host === host)).toEqual([]);
  });

  test('a browser without credentials: a page that says how to get in, and not whether there is a service', async () => {
    const { host, id, name } = await privately();
    const nobody = `nobody-here.localhost:${on.port}`;
    for (const asks of [{ 'sec-fetch-mode': 'navigate' }, { accept: 'text/html,*/*' }])
      for (const [answer, command] of [
        [await get(host, asks), `runlet open ${name}<`],
        [await get('localhost', asks, `/s/${id}/`), `runlet open ${id}<`],
        [await get(nobody, asks), 'runlet open nobody-here<'],
        [await get('localhost', asks, '/s/%22%3E%3Cscript%3E/'), 'runlet open NAME<'],
        [await get(host, asks, '/?runlet_token=x'), `runlet open ${name}<`],
      ] as const) {
        expect(answer.status).toBe(401);
        expect(answer.headers).toMatchObject({
          'content-type': 'text/html; charset=utf-8',
          'cache-control': 'no-store',
          'www-authenticate': 'Bearer realm="runlet"',
          'content-security-policy': expect.stringContaining("default-src 'none'"),
        });
        expect(answer.body).toContain(command);
        expect(answer.body).not.toContain('<script');
      }
    // What is no page, and who has a key, is told by a problem.
    for (const headers of [{ accept: '*/*' }, { accept: 'text/html', 'sec-fetch-mode': 'cors' }])
      expect(problemIn(await get(host, headers)).status).toBe(401);
    const missing = await get('localhost', { ...bearer(mine), accept: 'text/html' }, '/s/svc_x/');
    expect(problemIn(missing)).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('a service that is not there is named as it was asked for', async () => {
    const detail = async (host: string, path = '/') => problemIn(await get(host, bearer(mine), path)).detail;
    expect(await detail('localhost', '/s/svc_x/')).toContain('no service svc_x of yours');
    expect(await detail(`nobody.localhost:${on.port}`)).toContain('no service nobody of yours');
    const long = await detail('localhost', `/s/${'x'.repeat(500)}/`);
    expect(long).toContain(`no service ${'x'.repeat(64)} of yours`);
  });

  test('with a key of its tenant: in, and the key stays here', async () => {
    const { host, id } = await privately();
    for (const answer of [await get(host, bearer(mine)), await get('localhost', bearer(mine), `/s/${id}/`)]) {
      expect(answer.status).toBe(200);
      expect(answer.body).not.toContain(mine);
      expect(answer.body.toLowerCase()).not.toContain('authorization');
    }
    const acme = await privately('acme');
    expect((await get(acme.host, bearer(theirs))).status).toBe(200);
  });

  test('with a key of another tenant: as if there were no such service', async () => {
    const { host } = await privately();
    expect(problemIn(await get(host, bearer(theirs)))).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('a key of another form is a key all the same', async () => {
    const key = await on.apiKey('default', 'operator-chosen-key-0123456789');
    const { host } = await privately();
    const answer = await get(host, { authorization: `bearer   ${key}` });
    expect(answer.status).toBe(200);
    expect(answer.body).not.toContain(key);
    // A public service gets none of it either.
    const open = await on.service({ at: container.port });
    expect((await get(open.host, bearer(key))).body).not.toContain(key);
  });

  test('a public service: anybody; its own tokens reach it, Runlet’s keys never do', async () => {
    const { host } = await on.service({ at: container.port });
    expect((await get(host)).status).toBe(200);
    for (const own of ['Bearer own-token', 'Basic dTpw', 'Digest username="u"'])
      expect((await get(host, { authorization: own })).body).toContain(JSON.stringify(own));
    for (const key of [mine, theirs, 'rlk_revoked-long-ago'])
      expect((await get(host, bearer(key))).body).not.toContain(key);
  });

  test('Authorization twice is refused: one of the two would go on', async () => {
    const { host } = await on.service({ at: container.port });
    const answer = await get(host, { authorization: [`Bearer ${mine}`, 'Bearer other'] });
    expect(problemIn(answer)).toMatchObject({ status: 400, code: 'validation_failed' });
  });

  test('with a signed URL: in, without the token behind it; Authorization is the service’s own', async () => {
    const { host, id } = await privately();
    const token = sign(id);
    const path = `/a?x=1&runlet_token=${token}&y=%20`;
    const headers = { authorization: 'Bearer own', referer: `http://${host}${path}` };
    const answer = await get(host, headers, path);
    expect(answer.status).toBe(200);
    const seen = JSON.parse(answer.body);
    expect(seen.url).toBe('/a?x=1&y=%20');
    expect(seen.fields).toContain('Bearer own');
    expect(seen.fields).toContain(`http://${host}/a?x=1&y=%20`);
    expect(answer.body).not.toContain(token);
    expect(JSON.parse((await get(host, {}, `/?runlet_token=${token}`)).body).url).toBe('/');
    expect((await get('localhost', {}, `/s/${id}/b?runlet_token=${token}`)).body).toContain('"/b"');
  });

  test('a signed URL that has expired, was changed, or is another service’s: 401', async () => {
    const { host, id } = await privately();
    const other = await privately();
    const good = sign(id);
    const [until = '', mac = ''] = good.split('.');
    const bad = [
      sign(id, Date.now() - 1),
      sign(other.id),
      signService('another secret key of the same length', id, inAnHour()),
      `${(inAnHour() + 1e6).toString(36)}.${mac}`,
      `${until}.${mac.slice(0, -1)}`,
      `${until}.${mac.startsWith('A') ? 'B' : 'A'}${mac.slice(1)}`,
      `${good}.x`,
      `${good}x`,
      `${until}.`,
      `.${mac}`,
      'x',
      '',
    ];
    for (const token of bad) {
      const inQuery = await get(host, {}, `/?runlet_token=${token}`);
      expect(inQuery.status, token).toBe(401);
      expect((await get(host, { cookie: `runlet_token=${token}` })).status, token).toBe(401);
    }
    expect(problemIn(await get(host, {}, `/?runlet_token=${sign(id, 1)}`)).detail).toContain('expired');
    expect((await get(host, {}, `/?runlet_token=${good}`)).status).toBe(200);
  });

  test('a browser that follows a signed URL gets a cookie, and the address without the token', async () => {
    const { host, id } = await privately();
    const token = sign(id);
    for (const asks of [{ 'sec-fetch-mode': 'navigate' }, { accept: 'text/html,*/*' }]) {
      const answer = await get(host, asks, `/a?b=c&runlet_token=${token}`);
      expect([answer.status, answer.headers.location]).toEqual([303, '/a?b=c']);
      const [cookie = ''] = answer.headers['set-cookie'] ?? [];
      expect(cookie).toMatch(
        new RegExp(
          `^runlet_token=${token.replace('.', '\\.')}; Max-Age=3[56]\\d\\d; Path=/; HttpOnly; SameSite=Lax$`,
        ),
      );
      expect(answer.headers['cache-control']).toBe('no-store');
      const cookies = { cookie: `a=1; runlet_token=${token}; b=2` };
      const next = await get(host, cookies, '/a?b=c');
      expect(next.status).toBe(200);
      expect(next.body).toContain('a=1; b=2');
      expect(next.body).not.toContain(token);
    }
    const byPath = await get(
      'localhost',
      { 'sec-fetch-mode': 'navigate' },
      `/s/${id}/a?runlet_token=${token}`,
    );
    expect(byPath.headers.location).toBe(`/s/${id}/a`);
    expect(byPath.headers['set-cookie']?.[0]).toContain(`; Path=/s/${id}/;`);
    const slashes = await get(host, { 'sec-fetch-mode': 'navigate' }, `//evil.com/?runlet_token=${token}`);
    expect(slashes.headers.location).toBe('/evil.com/');
  });

  test('of several cookies any good one counts, and none reaches the container', async () => {
    const { host, id } = await privately();
    const cookie = `runlet_token=old; runlet_token=${sign(id)}`;
    const answer = await get(host, { cookie });
    expect(answer.status).toBe(200);
    expect(answer.body).not.toContain('runlet_token');
    expect(answer.body.toLowerCase()).not.toContain('cookie');
  });

  test('another origin’s page can do nothing with the cookie, but lead here', async () => {
    const { host, id } = await privately();
    const cookie = `runlet_token=${sign(id)}`;
    const from = (fields: Record<string, string>) => get(host, { cookie, ...fields });
    expect((await from({ origin: `http://${host}` })).status).toBe(200);
    expect((await from({ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' })).status).toBe(200);
    expect((await from({ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate' })).status).toBe(200);
    expect((await from({ origin: 'http://evil.localhost' })).status).toBe(401);
    expect((await from({ origin: 'null' })).status).toBe(401);
    expect((await from({ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' })).status).toBe(401);
  });

  test('a subprotocol that holds a key for the API stays here', async () => {
    const { host } = await on.service({ at: container.port });
    const protocols = `chat, runlet.bearer.${Buffer.from(mine).toString('base64url')}`;
    const { body } = await get(host, { 'sec-websocket-protocol': protocols });
    expect(JSON.parse(body).fields).toContain('chat');
    expect(body).not.toContain('runlet.bearer');
  });

  test('HEAD of what is refused has no body', async () => {
    const { host } = await privately();
    const answer = await call(on.port, host, '/', { method: 'HEAD', headers: way });
    expect([answer.status, answer.body]).toEqual([401, '']);
  });

  test('a body that is sent with what is refused is not waited for', async () => {
    const { host } = await privately();
    const answer = await call(on.port, host, '/', {
      method: 'POST',
      headers: way,
      body: Buffer.alloc(300_000),
    });
    expect(answer.status).toBe(401);
  });
});

test('who may not call a service neither wakes it nor keeps it alive', async () => {
  const idle = await on.service({ at: container.port, status: 'idle', request: { public: false } });
  await on.redis.hset(on.keys.service(idle.id), { wanted: 'idle', lastUsedAt: '1' });
  expect((await call(on.port, idle.host)).status).toBe(401);
  await sleep(1_200);
  expect(await on.gateway.services.read(idle.id)).toMatchObject({ wanted: 'idle', lastUsedAt: 1 });
});

test('a key that is made later works at once; the id of nobody is as unknown as a name', async () => {
  const { host } = await privately();
  const key = 'rlk_made-a-moment-later';
  expect(problemIn(await call(on.port, 'localhost', `/s/${newId('svc')}/`)).status).toBe(401);
  expect((await call(on.port, host, '/', { headers: bearer(await on.apiKey('default', key)) })).status).toBe(
    200,
  );
});

describe('by path, where all services share the API’s origin', () => {
  test('pages run in an origin of their own, whatever the service says', async () => {
    const page = await startContainer((_, outgoing) => {
      outgoing.writeHead(200, {
        'content-security-policy': 'sandbox allow-same-origin allow-scripts',
        'clear-site-data': '"*"',
        'service-worker-allowed': '/',
      });
      outgoing.end('<script>');
    });
    const { id, host } = await on.service({ at: page.port });
    const byPath = await call(on.port, 'localhost', `/s/${id}/`);
    const policies = byPath.raw.flatMap((name, i) =>
      i % 2 === 0 && name.toLowerCase() === 'content-security-policy' ? [byPath.raw[i + 1]] : [],
    );
    expect(policies).toEqual([
      'sandbox allow-scripts allow-forms allow-popups allow-downloads',
      'sandbox allow-same-origin allow-scripts',
    ]);
    expect(byPath.headers).not.toHaveProperty('clear-site-data');
    expect(byPath.headers).not.toHaveProperty('service-worker-allowed');
    const byName = await call(on.port, host);
    expect(byName.headers['content-security-policy']).toBe('sandbox allow-same-origin allow-scripts');
    expect(byName.headers['clear-site-data']).toBe('"*"');
    await page.stop();
  });

  test.each([
    ['a=1', 'a=1; Path=/s/ID/'],
    ['a=1; Path=/', 'a=1; Path=/s/ID/'],
    ['a=1; path=/app; HttpOnly', 'a=1; HttpOnly; Path=/s/ID/app'],
    ['a=1; Path=/s/ID/app', 'a=1; Path=/s/ID/app'],
    ['a=1; Domain=localhost; Secure; Path=x', 'a=1; Secure; Path=/s/ID/'],
    ['path=/; Path=/s/other', 'path=/; Path=/s/ID/s/other'],
  ])('the cookie %s stays below it', async (cookie, confined) => {
    const page = await startContainer((incoming, outgoing) =>
      outgoing.writeHead(200, { 'set-cookie': cookie.replace('ID', String(incoming.headers['x-id'])) }).end(),
    );
    const { id } = await on.service({ at: page.port });
    const answer = await call(on.port, 'localhost', `/s/${id}/`, { headers: { 'x-id': id } });
    expect(answer.headers['set-cookie']).toEqual([confined.replace('ID', id)]);
    await page.stop();
  });

  test('redirects to its own paths and its own origin stay below it; others are left alone', async () => {
    const page = await startContainer((incoming, outgoing) =>
      outgoing.writeHead(302, { location: String(incoming.headers['x-to']) }).end(),
    );
    const { id, name } = await on.service({ at: page.port });
    const to = async (location: string) =>
      (await call(on.port, 'localhost', `/s/${id}/`, { headers: { 'x-to': location } })).headers.location;
    expect(await to('/login?a=b')).toBe(`/s/${id}/login?a=b`);
    expect(await to(`/s/${id}/knows`)).toBe(`/s/${id}/knows`);
    expect(await to(`http://${name}.localhost:8080/dir/`)).toBe(`/s/${id}/dir/`);
    expect(await to('next')).toBe('next');
    expect(await to('https://example.com/x')).toBe('https://example.com/x');
    expect(await to('//example.com/x')).toBe('//example.com/x');
    await page.stop();
  });
});
