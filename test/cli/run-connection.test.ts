import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cleanUp, runCli } from './support/cli.ts';
import { StubApi } from './support/stub-api.ts';
import { exit, status, stderr, stdout } from './support/stub-runs.ts';

let api: StubApi;
beforeEach(async () => {
  api = await new StubApi().start();
  api.script = { events: [status('running'), stdout('hello\n'), exit('succeeded', { exitCode: 0 })] };
});
afterEach(() => api.stop());
afterAll(cleanUp);

const cli = (args: string[], options = {}) => runCli(args, { url: api.url, ...options });
const keys = () => api.requests('POST', '/v1/runs').map(({ headers }) => headers['idempotency-key']);

describe('a connection that breaks', () => {
  it('while the run is posted: the same request again, and one run', async () => {
    api.faults.set('POST /v1/runs', ['drop', 'drop-after']);
    const ended = await cli(['run', 'hello-world']);
    expect(ended).toMatchObject({ code: 0, out: 'hello\n' });
    expect(api.runs.size).toBe(1);
    expect(keys()).toHaveLength(3);
    expect(new Set(keys()).size).toBe(1);
  });

  it('while the events flow: resumed with nothing lost and nothing doubled', async () => {
    const lines = Array.from({ length: 40 }, (_, i) => (i % 3 === 2 ? stderr(`e${i}\n`) : stdout(`o${i}\n`)));
    api.script = {
      events: [status('running'), ...lines, exit('failed', { exitCode: 7 })],
      dropAfter: [0, 5, 6, 20, 40],
    };
    const ended = await cli(['run', 'busybox']);
    const text = (type: string) =>
      lines
        .filter((line) => line.type === type)
        .map(({ data }) => (data as { data: string }).data)
        .join('');
    expect(ended).toMatchObject({ code: 7, out: text('stdout'), stderr: text('stderr') });
    const resumed = api.requests('GET', /events$/).map(({ headers }) => headers['last-event-id']);
    // The first events came as the answer to the POST.
    expect(resumed).toEqual([0, 5, 6, 20, 40].map((n) => `1790000000000-${n}`));
  });

  it('of a server that answers with the run, not with its events', async () => {
    api.streamsCreated = false;
    api.script.dropAfter = [1];
    expect(await cli(['run', 'busybox'])).toMatchObject({ code: 0, out: 'hello\n' });
    const asked = api.requests('GET', /events$/).map(({ headers }) => headers['last-event-id']);
    expect(asked).toEqual([undefined, '1790000000000-1']);
  });

  it('when the server is in trouble on resume: tried again', async () => {
    api.script.dropAfter = [0];
    api.faults.set('GET /v1/runs', [
      { status: 503, retryAfter: '0' },
      { status: 500, problem: { code: 'internal' } },
      'drop',
    ]);
    expect(await cli(['run', 'busybox'])).toMatchObject({ code: 0, out: 'hello\n' });
  });

  it('when the run is forgotten meanwhile: an error, not an endless wait', async () => {
    api.script.dropAfter = [0];
    api.faults.set('GET /v1/runs/', [
      'drop',
      { status: 404, problem: { code: 'not_found', title: 'Nothing was found' } },
    ]);
    const ended = await cli(['run', 'busybox']);
    expect(ended.code).toBe(125);
    expect(ended.stderr).toContain('Nothing was found');
  });

  it('that never was: says what to do', async () => {
    const url = api.url;
    await api.stop();
    for (const [args, code] of [
      [['run', 'busybox'], 125],
      [['ps'], 1],
    ] as const) {
      const ended = await runCli(['-q', ...args], { url });
      expect(ended).toMatchObject({ code, out: '' });
      expect(ended.stderr).toContain(`Nothing answers at ${url}`);
      expect(ended.stderr).toContain('npm start');
    }
    const json = await runCli(['-q', 'ps', '--json'], { url });
    expect(JSON.parse(json.stderr)).toMatchObject({ code: 'connection_failed' });
    api = await new StubApi().start();
  });
});

describe('an address that is wrong', () => {
  it('in its scheme: says which one is right, once', async () => {
    const url = api.url.replace('http:', 'https:');
    const ended = await runCli(['ps'], { url });
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.stderr).toBe(
      `runlet: The Runlet server cannot be reached\n  ${url.slice(8)} speaks plain HTTP, not HTTPS. Use ${api.url} in --url, RUNLET_URL or \`runlet login\`.\n`,
    );
  });

  it('in its port: says that nothing is there, and does not send doctor to itself', async () => {
    for (const args of [['ps'], ['doctor']]) {
      // A port that browsers refuse, and Node's fetch with them.
      const ended = await runCli(args, { url: 'http://127.0.0.1:9' });
      expect(ended.code).toBe(1);
      expect(ended.out + ended.stderr).toContain('Nothing answers at http://127.0.0.1:9.');
      expect(ended.out + ended.stderr).not.toContain('runlet doctor');
    }
  });

  it.each(['/v1', '/v1/', '/docs', '/openapi.json'])('in its path %s: is understood', async (path) => {
    expect(await runCli(['ps'], { url: `${api.url}${path}` })).toMatchObject({ code: 0 });
    expect(api.requests('GET', '/v1/runs')).toHaveLength(1);
  });

  it('without its scheme: is understood', async () => {
    expect(await runCli(['ps'], { url: api.url.replace('http://', '') })).toMatchObject({ code: 0 });
  });

  it('of a server that wants HTTPS: says so', async () => {
    const proxy = createServer((_, response) => {
      response.writeHead(400, { 'content-type': 'text/html' });
      response.end('<h1>400</h1>The plain HTTP request was sent to HTTPS port');
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    const { port } = proxy.address() as AddressInfo;
    const ended = await runCli(['ps'], { url: `http://127.0.0.1:${port}` });
    proxy.close();
    expect(ended.stderr).toContain(`speaks HTTPS: use https://127.0.0.1:${port}`);
  });
});

describe('a server that is full', () => {
  it('is asked again after Retry-After, with a note', async () => {
    api.faults.set('POST /v1/runs', [
      { status: 503, retryAfter: '0' },
      { status: 429, retryAfter: '0' },
    ]);
    const ended = await cli(['run', 'busybox']);
    expect(ended).toMatchObject({ code: 0, out: 'hello\n' });
    expect(ended.stderr).toContain('The system is full; trying again in 0 s (1 of 5).');
    expect(new Set(keys()).size).toBe(1);
  });

  it('is not asked for ever', async () => {
    api.faults.set(
      'POST /v1/runs',
      Array.from({ length: 20 }, () => ({ status: 503, retryAfter: '0' })),
    );
    expect((await cli(['run', 'busybox'])).code).toBe(125);
    expect(keys()).toHaveLength(6);
  });

  it('is not asked again where it does not say when, or too late', async () => {
    api.faults.set('GET /v1/runs', [{ status: 429 }, { status: 503, retryAfter: '3600' }]);
    expect((await cli(['ps'])).code).toBe(1);
    expect((await cli(['ps'])).code).toBe(1);
    expect(api.requests('GET', '/v1/runs')).toHaveLength(2);
  });

  it('that still works on our first try is waited for', async () => {
    api.faults.set('POST /v1/runs', [
      'drop',
      { status: 409, retryAfter: '0', problem: { code: 'idempotency_in_progress' } },
    ]);
    expect(await cli(['run', 'busybox'])).toMatchObject({ code: 0, out: 'hello\n' });
  });
});

describe('the key', () => {
  it('is required, and its absence explained', async () => {
    const ended = await cli(['run', 'busybox'], { env: { RUNLET_API_KEY: undefined } });
    expect(ended.code).toBe(125);
    expect(ended.stderr).toContain('There is no API key');
    expect(api.seen).toEqual([]);
  });

  it('that is wrong is refused, and never shown', async () => {
    const ended = await cli(['ps'], { env: { RUNLET_API_KEY: 'rk_wrong_secret' } });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('The API key is not accepted');
    expect(ended.stderr).toContain('`runlet config` says which key is in use');
    expect(ended.stderr).not.toContain('rk_wrong_secret');
  });

  it('is carried to no other place by a redirect', async () => {
    const other = await new StubApi().start();
    api.faults.set('GET /v1/runs', [{ status: 307, location: `${other.url}/v1/runs` }]);
    expect((await cli(['ps'])).code).toBe(1);
    expect(other.seen).toEqual([]);
    await other.stop();
  });
});
