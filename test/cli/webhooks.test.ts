import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiClient } from '../../services/cli/http/api-client.ts';
import { redeliverFailed } from '../../services/cli/webhooks/redeliver-failed.ts';
import { newId } from '../../shared/ids.ts';
import { cleanUp, runCli } from './support/cli.ts';
import { StubApi, testKey } from './support/stub-api.ts';
import { exit, madeSecret } from './support/stub-runs.ts';
import { delivered, refused } from './support/stub-webhooks.ts';

let api: StubApi;
beforeEach(async () => {
  api = await new StubApi().start();
});
afterEach(() => api.stop());
afterAll(cleanUp);

const runlet = (args: string[], options = {}) => runCli(args, { url: api.url, ...options });
const cli = (...args: string[]) => runlet(['webhooks', ...args]);
const url = 'https://example.com/hook';

const register = (more: string[] = []) => cli('add', '--json', url, ...more);
async function registered(): Promise<string> {
  return JSON.parse((await register()).out).id;
}

describe('runlet webhooks add', () => {
  it('prints the id and the secret, and that it is shown once', async () => {
    const ended = await cli('add', url, '--event', 'run.*', '--event', 'webhook.disabled');
    const [endpoint] = api.webhooks.endpoints.values();
    if (endpoint === undefined) throw new Error('nothing was made');
    expect(ended.code).toBe(0);
    expect(ended.out).toBe(
      `id      ${endpoint.id}\nurl     ${url}\nevents  run.*, webhook.disabled\nstatus  enabled\nsecret  ${api.webhooks.secrets.get(endpoint.id)}\n`,
    );
    expect(ended.stderr).toContain('shown this once');
  });

  it('says only what was said, and gives all of the answer with --json', async () => {
    const { id, secret } = JSON.parse((await register()).out);
    expect(api.requests('POST', '/v1/webhooks')[0]?.body).toEqual({ url });
    expect(secret).toBe(api.webhooks.secrets.get(id));
  });

  it('makes one endpoint, with a secret that is known, although the first answer was lost', async () => {
    api.faults.set('POST /v1/webhooks', ['drop-after']);
    const { id, secret } = JSON.parse((await register()).out);
    expect([...api.webhooks.endpoints.keys()]).toEqual([id]);
    expect(secret).toBe(api.webhooks.secrets.get(id));
  });

  it('tells what the server does not take, and which patterns there are', async () => {
    const ended = await register(['--event', 'run.ended']);
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(JSON.parse(ended.stderr)).toMatchObject({
      code: 'validation_failed',
      errors: [{ path: 'events.0', message: expect.stringContaining('run.finished') }],
    });
  });
});

describe('runlet webhooks ls, update, enable, disable, rm', () => {
  it('lists', async () => {
    const id = await registered();
    const { out } = await cli('ls');
    expect(out).toMatch(/^ENDPOINT +URL +EVENTS +STATUS +AGE\n/);
    expect(out).toMatch(new RegExp(`${id} +${url} +run.finished +enabled +\\d+[smhd]\n$`));
    expect(JSON.parse((await cli('ls', '--json')).out)).toMatchObject({ data: [{ id }], nextCursor: null });
  });

  it('changes what is named, and nothing else', async () => {
    const id = await registered();
    const moved = await cli('update', id, 'https://example.com/new');
    expect(moved.out).toContain('https://example.com/new');
    await cli('update', id, '--event', '*', '--json');
    expect(api.requests('PATCH', /./).map(({ body }) => body)).toEqual([
      { url: 'https://example.com/new' },
      { events: ['*'] },
    ]);
    const nothing = await cli('update', id);
    expect(nothing.code).toBe(2);
    expect(nothing.stderr).toContain('nothing to change');
  });

  it('disables and enables, each for itself, and tells those that are not there', async () => {
    const id = await registered();
    expect(await cli('disable', id)).toMatchObject({ code: 0, out: `${id}\n`, stderr: '' });
    expect((await cli('ls')).out).toContain('disabled (owner)');
    const enabled = await cli('enable', id);
    expect(enabled).toMatchObject({ code: 0, out: `${id}\n` });
    expect(enabled.stderr).toContain('redeliver --failed');
    expect(api.webhooks.endpoints.get(id)).toMatchObject({ enabled: true });
    const gone = await cli('rm', 'whk_none', id);
    expect(gone).toMatchObject({ code: 1, out: `${id}\n` });
    expect(gone.stderr).toContain('whk_none: Nothing was found');
    expect(api.webhooks.endpoints.size).toBe(0);
  });
});

describe('runlet webhooks rotate', () => {
  it('prints the new secret, and how long the old one signs too', async () => {
    const id = await registered();
    const before = api.webhooks.secrets.get(id) ?? '';
    const ended = await cli('rotate', id);
    expect(ended.out).toContain(`secret  ${api.webhooks.secrets.get(id)}\n`);
    expect(ended.out).not.toContain(before);
    expect(ended.stderr).toContain('Until 2026-11-04T10:00:00.000Z');
  });

  it('does not make a second one when the answer is lost', async () => {
    const id = await registered();
    api.faults.set('POST /v1/webhooks/', ['drop-after']);
    expect((await cli('rotate', id)).code).toBe(1);
    expect(api.requests('POST', /rotate$/)).toHaveLength(1);
  });
});

describe('runlet webhooks test', () => {
  it('waits for the outcome, and shows each try', async () => {
    const id = await registered();
    const soon = '2026-11-03T10:00:05.000Z';
    api.webhooks.outcomes = [
      {},
      { attempts: [refused], nextAttemptAt: soon },
      { attempts: [refused, delivered], status: 'delivered', nextAttemptAt: null, finishedAt: soon },
    ];
    const ended = await cli('test', id);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.out.split('\n')).toEqual([
      `${api.webhooks.deliveries[0]?.id} to ${url}`,
      '1. 2026-11-03T10:00:00.000Z  500 in 3 ms  The receiver answered 500; only 2xx is delivered.',
      '   “out of order”',
      '2. 2026-11-03T10:00:00.000Z  204 in 12 ms',
      'delivered',
      '',
    ]);
  });

  it('does not wait for a try that is far off, and says when it is', async () => {
    const id = await registered();
    api.webhooks.outcomes = [{ attempts: [refused], nextAttemptAt: '2026-11-03T10:05:00.000Z' }];
    const ended = await cli('test', id);
    expect(ended.code).toBe(1);
    expect(ended.out).toMatch(/pending\n$/);
    expect(ended.stderr).toContain('tried again at 2026-11-03T10:05:00.000Z');
  });

  it('says so when nobody delivers', async () => {
    const id = await registered();
    const ended = await cli('test', '--wait', '300ms', id);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('is a notifier running?');
  });

  it('prints the delivery as it is at its end with --json, and at its beginning with --no-wait', async () => {
    const id = await registered();
    const begun = JSON.parse((await cli('test', '--no-wait', '--json', id)).out);
    expect(begun).toMatchObject({ type: 'webhook.test', endpoint: id, status: 'pending' });
    expect(await cli('test', '--no-wait', id)).toMatchObject({
      code: 0,
      out: `${api.webhooks.deliveries[0]?.id}\n`,
    });
    api.webhooks.outcomes = [{ attempts: [refused], status: 'failed', nextAttemptAt: null }];
    const ended = await cli('test', '--json', id);
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.out)).toMatchObject({ status: 'failed', attempts: [{ statusCode: 500 }] });
  });

  it('of an endpoint that is disabled says what to do', async () => {
    const id = await registered();
    await cli('disable', id);
    const ended = await cli('test', id);
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.stderr).toContain('enable it');
  });
});

describe('runlet webhooks deliveries', () => {
  it('lists them, with the receiver and how the last try went', async () => {
    const endpoint = newId('whk');
    const own = api.webhooks.addDelivery({ status: 'delivered', attempts: [refused, delivered] });
    const timeout = {
      ...refused,
      statusCode: null,
      error: { code: 'timeout' as const, message: 'Too slow.' },
    };
    const other = api.webhooks.addDelivery({ endpoint, attempts: [timeout] });
    const fresh = api.webhooks.addDelivery({ endpoint });
    const { out } = await cli('deliveries');
    expect(out.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['DELIVERY', 'TYPE', 'TO', 'STATUS', 'TRIES', 'LAST', 'AGE'],
      [fresh.id, 'run.finished', endpoint, 'pending', '0', '-', expect.any(String)],
      [other.id, 'run.finished', endpoint, 'pending', '1', 'timeout', expect.any(String)],
      [own.id, 'run.finished', `${own.run} (its own)`, 'delivered', '2', '204', expect.any(String)],
      [''],
    ]);
  });

  it('takes filters, and pages up to -n', async () => {
    const endpoint = newId('whk');
    const one = api.webhooks.addDelivery({ endpoint, status: 'failed' });
    const two = api.webhooks.addDelivery({ endpoint });
    const ids = async (...args: string[]) =>
      JSON.parse((await cli('deliveries', '--json', ...args)).out).data.map(({ id }: { id: string }) => id);
    expect(await ids('--status', 'failed')).toEqual([one.id]);
    expect(await ids('--run', two.run ?? '')).toEqual([two.id]);
    expect(await ids('--endpoint', endpoint)).toEqual([two.id, one.id]);
    const first = await cli('deliveries', '-n', '1');
    expect(first.out).not.toContain(one.id);
    expect(first.stderr).toContain('There are more');
    const wrong = await cli('deliveries', '--status', 'lost');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('pending, delivered, failed');
  });

  it('shows one with all of its tries, and no control characters', async () => {
    const said = { ...refused, response: 'red \u001b[31m' };
    const { id, run } = api.webhooks.addDelivery({ attempts: [said, delivered], status: 'delivered' });
    const { out } = await cli('deliveries', id);
    for (const text of [id, `${run} (its own)`, url, '1. 2026', '“red [31m”', '2. 2026', '204 in 12 ms'])
      expect(out).toContain(text);
    expect(out).not.toContain('\u001b');
    expect(JSON.parse((await cli('deliveries', '--json', id)).out).attempts).toHaveLength(2);
    expect((await cli('deliveries', id, '--status', 'failed')).code).toBe(2);
    const none = await cli('deliveries', 'del_none');
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('Nothing was found');
  });
});

describe('runlet webhooks redeliver', () => {
  it('takes ids', async () => {
    const { id } = api.webhooks.addDelivery({ status: 'failed' });
    const ended = await cli('redeliver', id, 'del_none');
    expect(ended).toMatchObject({ code: 1, out: `${id}\n` });
    expect(ended.stderr).toContain('del_none: Nothing was found');
    expect(api.webhooks.deliveries[0]?.status).toBe('pending');
  });

  it('takes all that failed since a time, call by call to the end', async () => {
    api.webhooks.redelivered = [
      { count: 2, complete: false },
      { count: 1, complete: true },
    ];
    const endpoint = newId('whk');
    const since = '2026-01-31T12:00:00+01:00';
    const ended = await cli('redeliver', '--failed', '--since', since, '--endpoint', endpoint);
    expect(ended).toMatchObject({ code: 0, out: '3 deliveries are sent again.\n', stderr: '' });
    const body = { since: '2026-01-31T11:00:00.000Z', endpoint };
    expect(api.requests('POST', /redeliver$/).map((request) => request.body)).toEqual([body, body]);
    const json = await cli('redeliver', '--failed', '--since', '1h', '--json');
    expect(JSON.parse(json.out)).toEqual({ count: 1, complete: true });
  });

  it('says so when the server comes to no end', async () => {
    api.webhooks.redelivered = [
      { count: 2, complete: false },
      { count: 0, complete: false },
    ];
    const ended = await cli('redeliver', '--failed', '--since', '1d');
    expect(ended).toMatchObject({ code: 1, out: '2 deliveries are sent again.\n' });
    expect(ended.stderr).toContain('a later --since or an --endpoint');
    // Those that fail again at once are found again at once.
    api.webhooks.redelivered = [{ count: 1, complete: false }];
    const client = new ApiClient(api.url, testKey, () => {});
    expect(await redeliverFailed(client, { since: '2026-01-31T12:00:00Z' })).toMatchObject({
      complete: false,
    });
  });

  it.each([
    [[], 'Name deliveries'],
    [['--failed'], 'needs --since'],
    [['--failed', '--since', '1h', 'del_1'], 'not both'],
    [['--since', '1h', 'del_1'], 'go with --failed'],
    [['--failed', '--since', 'yesterday'], 'like 30m or 1h'],
  ])('refuses %j', async (args, text) => {
    const ended = await cli('redeliver', ...args);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(text);
    expect(api.seen).toEqual([]);
  });
});

describe('runlet run --webhook', () => {
  const sent = () => api.requests('POST', '/v1/runs').at(-1)?.body;
  const detached = (args: string[], options = {}) => runlet(['run', '--detach', ...args, 'busybox'], options);
  beforeEach(() => {
    api.script = { events: [exit('succeeded', { exitCode: 0 })] };
  });

  it('sends the secret that is given, as an option or in the environment, and shows it nowhere', async () => {
    const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
    const env = { RUNLET_WEBHOOK_SECRET: secret };
    for (const [args, options] of [
      [['--webhook-secret', secret], {}],
      [[], { env }],
    ] as const) {
      const ended = await detached(['--webhook', url, ...args], options);
      expect(ended).toMatchObject({ code: 0, stderr: '' });
      expect(sent()).toEqual({ image: 'busybox', webhook: { url, secret } });
    }
    await detached([], { env });
    expect(sent()).toEqual({ image: 'busybox' });
  });

  it('prints the one that was made, whether it waits for the end or not', async () => {
    const ended = await detached(['-q', '--webhook', url]);
    expect(ended.out).toMatch(/^run_\d+\n$/);
    expect(ended.stderr).toContain(madeSecret);
    expect(sent()).toEqual({ image: 'busybox', webhook: { url } });
    expect((await runlet(['run', '--webhook', url, 'busybox'])).stderr).toContain(madeSecret);
    const json = await detached(['--json', '--webhook', url]);
    expect(JSON.parse(json.out).request.webhook).toEqual({ url, secret: madeSecret });
    expect(json.stderr).toBe('');
  });

  it('says so when that was lost with a connection', async () => {
    api.faults.set('POST /v1/runs', ['drop-after']);
    const ended = await detached(['--webhook', url]);
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain('was lost with a connection');
  });

  it('has errors that name the field and show no secret', async () => {
    const ended = await detached(['--webhook', url, '--webhook-secret', 'my-own-word']);
    expect(ended.code).toBe(125);
    expect(ended.stderr).toContain('--webhook-secret: must be `whsec_`');
    expect(ended.stderr).not.toContain('my-own-word');
    const alone = await detached(['--webhook-secret', madeSecret]);
    expect(alone.code).toBe(2);
    expect(alone.stderr).toContain('without --webhook');
  });
});
