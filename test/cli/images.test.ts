import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cleanUp, runCli } from './support/cli.ts';
import { StubApi, testKey } from './support/stub-api.ts';
import { healthy } from './support/stub-worker.ts';
import { cliWord, onTerminal } from './support/terminal.ts';

let api: StubApi;
beforeEach(async () => {
  api = await new StubApi().start();
});
afterEach(() => api.stop());
afterAll(cleanUp);

const cli = (args: string[], options = {}) => runCli(args, { url: api.url, ...options });
const reference = 'localhost:5000/team/app:1';
const image = {
  reference,
  digest: `sha256:${'ab'.repeat(32)}`,
  id: `sha256:${'cd'.repeat(32)}`,
  sizeBytes: 5_242_880,
  createdAt: '2026-11-01T00:00:00.000Z',
  workers: ['wrk_1', 'wrk_2'],
};
const error = {
  type: 'about:blank',
  title: 'The registry cannot be reached',
  status: 502,
  detail: 'Check the network.',
  code: 'registry_unavailable',
};
const picture = (worker: string, state: string) => ({
  type: 'pull' as const,
  data: { worker, reference, status: state, layers: [] },
});
const done = (workers: unknown[]) => ({ type: 'done' as const, data: { image: reference, workers } });

describe('images', () => {
  it('are listed', async () => {
    api.images = [image];
    expect((await cli(['images'])).out).toMatch(
      /localhost:5000\/team\/app:1 +cdcdcdcdcdcd +abababababab +5\.0 MiB +\d+[hd] +2\n/,
    );
    expect(JSON.parse((await cli(['images', '--json'])).out)).toEqual({ data: [image], nextCursor: null });
  });

  it('are pulled to every worker, with progress', async () => {
    api.pulls.events = [
      picture('wrk_1', 'pulling'),
      picture('wrk_2', 'pulling'),
      picture('wrk_1', 'done'),
      picture('wrk_2', 'done'),
      done([
        { worker: 'wrk_1', digest: image.digest, error: null },
        { worker: 'wrk_2', digest: image.digest, error: null },
      ]),
    ];
    const ended = await cli(['pull', reference]);
    expect(ended.code).toBe(0);
    expect(ended.out).toBe(`${reference}@${image.digest}  wrk_1\n${reference}@${image.digest}  wrk_2\n`);
    expect(ended.stderr).toContain(`Pulled ${reference} (wrk_2)`);
    expect(api.requests('POST', '/v1/images/pull')[0]).toMatchObject({
      body: { image: reference },
      headers: { accept: 'text/event-stream' },
    });
    expect((await cli(['pull', '-q', reference])).stderr).toBe('');
  });

  it('are pulled by workers that are called by their names', async () => {
    api.workers = [
      { ...healthy, id: 'wrk_1', name: 'node-a' },
      { ...healthy, id: 'wrk_2', name: 'node-b' },
    ];
    api.pulls.events = [
      done([
        { worker: 'wrk_1', digest: null, error: null },
        { worker: 'wrk_2', digest: null, error },
      ]),
    ];
    const ended = await cli(['pull', reference]);
    expect(ended).toMatchObject({ code: 1, out: `${reference}  node-a\n` });
    expect(ended.stderr).toContain('node-b: The registry cannot be reached');
    api.images = [image];
    expect((await cli(['rmi', reference])).out).toBe('node-a: removed\n');
  });

  it('are shown as done when they are', async () => {
    const layers = [
      { id: 'sha256:aaaaaaaaaaaaaaaa', status: 'downloading', currentBytes: 1024, totalBytes: 2048 },
      { id: 'sha256:bbbbbbbbbbbbbbbb', status: 'extracting', currentBytes: 4096, totalBytes: 4096 },
    ];
    const { type, data } = picture('wrk_1', 'pulling');
    api.pulls.events = [
      { type, data: { ...data, layers } },
      done([{ worker: 'wrk_1', digest: null, error: null }]),
    ];
    const shown = onTerminal(`stty cols 100; ${cliWord} pull ${reference}`, {
      url: api.url,
      apiKey: testKey,
    });
    await shown.ended;
    const last = (id: string) =>
      shown
        .screen()
        .split(/[\r\n]+/)
        .filter((line) => line.includes(id))
        .at(-1);
    expect(last('aaaaaaaaaaaa')).toMatch(/done +\[={24}\] 2\.0 KiB \/ 2\.0 KiB/);
    expect(last('bbbbbbbbbbbb')).toMatch(/done +\[={24}\]/);
    expect((await cli(['pull', reference])).stderr).toContain(`Pulled ${reference}`);
  });

  it('that one worker cannot pull are a failure, with its reason', async () => {
    api.pulls.events = [
      done([
        { worker: 'wrk_1', digest: null, error: null },
        { worker: 'wrk_2', digest: null, error },
      ]),
    ];
    const ended = await cli(['pull', reference]);
    expect(ended).toMatchObject({ code: 1, out: `${reference}  wrk_1\n` });
    expect(ended.stderr).toContain('wrk_2: The registry cannot be reached\n  Check the network.');
    const json = await cli(['pull', '--json', reference]);
    expect(JSON.parse(json.out).workers).toHaveLength(2);
    expect(JSON.parse(json.stderr).code).toBe('registry_unavailable');
  });

  it('are pulled again when the stream breaks off', async () => {
    api.pulls = {
      events: [picture('wrk_1', 'pulling'), done([{ worker: 'wrk_1', digest: null, error: null }])],
      dropFirst: true,
    };
    expect((await cli(['pull', '-q', reference])).code).toBe(0);
    expect(api.requests('POST', '/v1/images/pull')).toHaveLength(2);
  });

  it('are removed by a reference with slashes and colons', async () => {
    api.images = [image];
    expect(await cli(['rmi', reference])).toMatchObject({ code: 0, out: 'wrk_1: removed\n' });
    expect((await cli(['rmi', 'none:1'])).code).toBe(1);
  });
});

describe('registry credentials', () => {
  it('go from stdin to the server, and nowhere else', async () => {
    const ended = await cli(['registry', 'login', 'r.example.com:5000', '-u', 'me', '--password-stdin'], {
      stdin: 's3cret pass\n',
    });
    expect(ended.code).toBe(0);
    expect(ended.out + ended.stderr).not.toContain('s3cret');
    const [sent] = api.requests('PUT', /registries/);
    expect(decodeURIComponent(sent?.path ?? '')).toBe('/v1/registries/r.example.com:5000');
    expect(sent?.body).toEqual({ username: 'me', password: 's3cret pass' });
  });

  it('must not be empty', async () => {
    expect(
      (await cli(['registry', 'login', 'h', '-u', 'me', '--password-stdin'], { stdin: '\n' })).code,
    ).toBe(2);
  });

  it('are forgotten', async () => {
    expect((await cli(['registry', 'logout', 'r.example.com'])).code).toBe(0);
    expect(api.requests('DELETE', '/v1/registries/r.example.com')).toHaveLength(1);
  });
});
