import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Run } from '../../shared/contracts/run.ts';
import { newId } from '../../shared/ids.ts';
import { createLog } from '../../shared/log.ts';
import { closeRedis, connectRedis } from '../../shared/redis.ts';
import { type AttachMessage, consumeAttach, maxEntries, readAttach } from '../../shared/stores/attach.ts';
import { runOf, startGateway, type TestGateway, until } from './support.ts';
import { actAsWorker } from './worker.ts';

type Message = { type: string; id?: string; data?: string; [field: string]: unknown };

const apiKey = 'rlk_attach=key/with+odd"signs';
let on: TestGateway;
let blocking: ReturnType<typeof connectRedis>;
const open = new Set<WebSocket>();
beforeAll(async () => {
  on = await startGateway();
  blocking = connectRedis(on.gateway.env.RUNLET_REDIS_URL, 'loop', createLog('test', 'silent'));
  await on.gateway.apiKeys.put(apiKey, { keyId: newId('key'), tenant: 'default', role: 'admin' });
});
afterEach(() => {
  for (const socket of open) socket.terminate();
  open.clear();
});
afterAll(async () => {
  await closeRedis(blocking);
  await on.stop();
});

const create = async (more: Record<string, unknown> = { interactive: true }): Promise<Run> =>
  runOf(await on.call('POST', '/v1/runs', { image: 'busybox', ...more }), 202);

function attach(path: string, options: { key?: string; protocols?: string[]; gateway?: TestGateway } = {}) {
  const { key = apiKey, protocols = [], gateway = on } = options;
  const url = `${gateway.url.replace('http', 'ws')}/v1/runs/${path}`;
  const headers: Record<string, string> = key === '' ? {} : { authorization: `Bearer ${key}` };
  const socket = new WebSocket(url, protocols, { headers });
  open.add(socket);
  const messages: Message[] = [];
  socket.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString('utf8'))));
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.on('close', (code, reason: Buffer) => resolve({ code, reason: reason.toString() })),
  );
  const refused = new Promise<{ status: number; body: string; headers: unknown }>((resolve) =>
    socket.on('unexpected-response', (_, response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
      );
    }),
  );
  socket.on('error', () => {});
  return {
    socket,
    messages,
    closed,
    refused,
    opened: new Promise<void>((resolve) => socket.on('open', () => resolve())),
    send: (value: unknown) => socket.send(typeof value === 'string' ? value : JSON.stringify(value)),
    until: (wanted: (message: Message) => boolean) => until(async () => messages.find(wanted)),
  };
}

/** What the worker would be handed, as it comes. */
async function taken(runId: string, count: number): Promise<AttachMessage[]> {
  const all: AttachMessage[] = [];
  while (all.length < count) {
    const entries = await readAttach(blocking, on.keys, runId, '0', 5_000);
    all.push(...entries.map(({ message }) => message));
    await consumeAttach(
      on.redis,
      on.keys,
      runId,
      entries.map(({ id }) => id),
    );
  }
  return all;
}

describe('down', () => {
  test('come the run’s events, each with type and id, and a normal close after the exit', async () => {
    const run = await create();
    const client = attach(`${run.id}/attach`);
    await client.opened;
    const worker = actAsWorker(on);
    const holder = await worker.start(run.id);
    await worker.append(
      holder,
      { type: 'stdout', data: 'hello ✓\n' },
      { type: 'stderr', data: Buffer.from([255, 254]) },
    );
    await client.until(({ type }) => type === 'stderr');
    await worker.finish(holder, 'failed', { exitCode: 3 });
    expect(await client.closed).toEqual({ code: 1000, reason: 'the run has ended' });
    expect(client.messages.map(({ type }) => type)).toEqual(['status', 'status', 'stdout', 'stderr', 'exit']);
    expect(client.messages[2]).toMatchObject({ data: 'hello ✓\n', encoding: 'utf8' });
    expect(client.messages[3]).toMatchObject({ data: '//4=', encoding: 'base64' });
    expect(client.messages[4]).toMatchObject({ status: 'failed', exitCode: 3 });
    expect(client.messages.every(({ id }) => /^\d+-\d+$/.test(id ?? ''))).toBe(true);
  });

  test('come again after the end, or from where a client left off', async () => {
    const run = await create({});
    await actAsWorker(on).perform(run.id, 'out');
    const all = attach(`${run.id}/attach`);
    expect((await all.closed).code).toBe(1000);
    const [, , out, exit] = all.messages;
    const rest = attach(`${run.id}/attach?after=${out?.id}`);
    await rest.closed;
    expect(rest.messages).toEqual([exit]);
    const none = attach(`${run.id}/attach?after=${exit?.id}`);
    expect((await none.closed).code).toBe(1000);
    expect(none.messages).toEqual([]);
  });

  test('a slow client gets all of it, and costs no memory meanwhile', async () => {
    const run = await create({ limits: { outputBytes: 16 * 1024 * 1024 } });
    const worker = actAsWorker(on);
    const holder = await worker.start(run.id);
    const chunk = randomBytes(48_000).toString('base64');
    for (let i = 0; i < 200; i++) await worker.out(holder, chunk);
    const client = attach(`${run.id}/attach`);
    await client.opened;
    client.socket.pause();
    await sleep(300);
    await worker.finish(holder);
    client.socket.resume();
    expect((await client.closed).code).toBe(1000);
    const bytes = client.messages.filter(({ type }) => type === 'stdout').map(({ data }) => data?.length);
    expect(bytes).toEqual(Array(200).fill(chunk.length));
  });
});

describe('up', () => {
  test('go stdin, its end, signals and sizes', async () => {
    const run = await create({ interactive: true, tty: true });
    const client = attach(`${run.id}/attach`);
    await client.opened;
    client.send({ type: 'stdin', data: 'grüße\n' });
    client.send({ type: 'stdin', data: '/wD+', encoding: 'base64' });
    client.send({ type: 'resize', cols: 100, rows: 30 });
    client.send({ type: 'signal', signal: 'SIGINT' });
    client.send({ type: 'eof' });
    expect(await taken(run.id, 5)).toEqual([
      { type: 'stdin', data: Buffer.from('grüße\n') },
      { type: 'stdin', data: Buffer.from([255, 0, 254]) },
      { type: 'resize', cols: 100, rows: 30 },
      { type: 'signal', signal: 2 },
      { type: 'eof' },
    ]);
    expect(client.messages.map(({ type }) => type)).toEqual(['status']);
  });

  test('the size of the client’s terminal goes before all that it says', async () => {
    const run = await create({ interactive: true, tty: true });
    const client = attach(`${run.id}/attach?cols=132&rows=50`);
    await client.opened;
    client.send({ type: 'stdin', data: 'first' });
    expect(await taken(run.id, 2)).toEqual([
      { type: 'resize', cols: 132, rows: 50 },
      { type: 'stdin', data: Buffer.from('first') },
    ]);
  });

  test('more than there is room for waits, and arrives whole and in order', async () => {
    const run = await create();
    const client = attach(`${run.id}/attach`);
    await client.opened;
    const data = randomBytes(6 * 1024 * 1024);
    for (let at = 0; at < data.length; at += 512 * 1024)
      client.send({
        type: 'stdin',
        data: data.subarray(at, at + 512 * 1024).toString('base64'),
        encoding: 'base64',
      });
    client.send({ type: 'eof' });
    await until(async () => (await on.redis.xlen(on.keys.attach(run.id))) === maxEntries);
    await sleep(400);
    expect(await on.redis.xlen(on.keys.attach(run.id))).toBe(maxEntries);
    // The rest waits with the client, not in the gateway.
    expect(client.socket.bufferedAmount).toBeGreaterThan(1024 * 1024);
    const all: Buffer[] = [];
    for (let ended = false; !ended; ) {
      for (const message of await taken(run.id, 1)) {
        if (message.type === 'stdin') all.push(message.data);
        ended ||= message.type === 'eof';
      }
    }
    expect(Buffer.concat(all).equals(data)).toBe(true);
  });

  test('two clients may talk to one run, and one that leaves changes nothing', async () => {
    const run = await create();
    const [one, two] = [attach(`${run.id}/attach`), attach(`${run.id}/attach`)];
    await Promise.all([one.opened, two.opened]);
    one.send({ type: 'stdin', data: 'a' });
    expect(await taken(run.id, 1)).toEqual([{ type: 'stdin', data: Buffer.from('a') }]);
    one.socket.close();
    await one.closed;
    two.send({ type: 'stdin', data: 'b' });
    expect(await taken(run.id, 1)).toEqual([{ type: 'stdin', data: Buffer.from('b') }]);
    expect((await runOf(await on.call('GET', `/v1/runs/${run.id}`), 200)).status).toBe('queued');
  });

  test('nothing is kept for a run that has ended', async () => {
    const run = await create();
    const client = attach(`${run.id}/attach`);
    await client.opened;
    client.send({ type: 'stdin', data: 'early' });
    await until(async () => (await on.redis.xlen(on.keys.attach(run.id))) === 1);
    await actAsWorker(on).perform(run.id);
    client.send({ type: 'stdin', data: 'late' });
    expect((await client.closed).code).toBe(1000);
    expect(await on.redis.exists(on.keys.attach(run.id))).toBe(0);
  });
});

describe('refused', () => {
  test.each([
    ['no JSON', 'hello', 'invalid_json', undefined],
    ['an unknown type', { type: 'kill' }, 'validation_failed', ['type']],
    ['no type', {}, 'validation_failed', ['type']],
    ['an unknown field', { type: 'eof', now: true }, 'validation_failed', ['now']],
    ['no data', { type: 'stdin' }, 'validation_failed', ['data']],
    ['no base64', { type: 'stdin', data: '?', encoding: 'base64' }, 'validation_failed', ['data']],
    ['an unknown signal', { type: 'signal', signal: 'SIGFOO' }, 'validation_failed', ['signal']],
    ['half a surrogate pair', { type: 'stdin', data: 'cut \ud83d' }, 'validation_failed', ['data']],
    ['a signal by number', { type: 'signal', signal: 9 }, 'validation_failed', ['signal']],
    ['a size of nothing', { type: 'resize', cols: 0, rows: 1 }, 'validation_failed', ['cols']],
    ['a size beyond all', { type: 'resize', cols: 80, rows: 1e9 }, 'validation_failed', ['rows']],
  ])('%s, with an error and a close', async (_, message, code, paths) => {
    const run = await create();
    const client = attach(`${run.id}/attach`);
    await client.opened;
    client.send(message);
    client.send({ type: 'stdin', data: 'after' });
    expect(await client.closed).toEqual({ code: 1008, reason: 'bad message' });
    const { problem } = (client.messages.find(({ type }) => type === 'error') ?? {}) as {
      problem?: { code: string; errors?: { path: string }[] };
    };
    expect(problem?.code).toBe(code);
    expect(problem?.errors?.map(({ path }) => path)).toEqual(paths);
    expect(await on.redis.exists(on.keys.attach(run.id))).toBe(0);
  });

  test('binary frames, and frames beyond all bounds', async () => {
    const run = await create();
    const client = attach(`${run.id}/attach`);
    await client.opened;
    client.socket.send(Buffer.from('{"type":"eof"}'));
    expect((await client.closed).code).toBe(1008);
    const other = attach(`${run.id}/attach`);
    await other.opened;
    other.send({ type: 'stdin', data: 'x'.repeat(3 * 1024 * 1024) });
    expect((await other.closed).code).toBe(1009);
  });

  test('input for a run that is not interactive: it can still be watched', async () => {
    const run = await create({});
    const client = attach(`${run.id}/attach`);
    await client.opened;
    client.send({ type: 'stdin', data: 'x' });
    expect(await client.until(({ type }) => type === 'error')).toMatchObject({
      problem: { code: 'conflict' },
    });
    await actAsWorker(on).perform(run.id);
    expect((await client.closed).code).toBe(1000);
    expect(client.messages.at(-1)?.type).toBe('exit');
  });

  test('a size where there is no terminal', async () => {
    const run = await create();
    const client = attach(`${run.id}/attach`);
    await client.opened;
    client.send({ type: 'resize', cols: 80, rows: 24 });
    client.send({ type: 'stdin', data: 'x' });
    expect(await client.until(({ type }) => type === 'error')).toMatchObject({
      problem: { code: 'conflict' },
    });
    expect(await taken(run.id, 1)).toEqual([{ type: 'stdin', data: Buffer.from('x') }]);
  });

  test.each([
    ['half a size', 'cols=80', true, 'rows'],
    ['the other half', 'rows=24', true, 'cols'],
    ['a size of nothing', 'cols=0&rows=24', true, 'cols'],
    ['a size beyond all', 'cols=80&rows=10001', true, 'rows'],
    ['a size in words', 'cols=wide&rows=24', true, 'cols'],
    ['a size in fractions', 'cols=80.5&rows=24', true, 'cols'],
    ['a size where there is no terminal', 'cols=80&rows=24', false, 'cols'],
  ])('%s in the query', async (_, query, tty, path) => {
    const run = await create({ interactive: true, tty });
    const { status, body } = await attach(`${run.id}/attach?${query}`).refused;
    expect([status, JSON.parse(body).errors?.[0]?.path]).toEqual([400, path]);
  });

  test.each([
    ['no key', '', 401, 'unauthorized'],
    ['an unknown key', 'rlk_unknown-to-everybody', 401, 'unauthorized'],
  ])('%s', async (_, key, status, code) => {
    const run = await create();
    const { status: got, body, headers } = await attach(`${run.id}/attach`, { key }).refused;
    expect([got, JSON.parse(body).code]).toEqual([status, code]);
    expect(headers).toMatchObject({
      'content-type': 'application/problem+json',
      'www-authenticate': 'Bearer realm="runlet"',
      connection: 'close',
    });
  });

  test('somebody else’s run, no run, a bad position, another route', async () => {
    const run = await create();
    const key = 'rlk_of-another-tenant';
    await on.gateway.apiKeys.put(key, { keyId: newId('key'), tenant: 'other', role: 'user' });
    const refusal = async (path: string, options = {}) => {
      const { status, body } = await attach(path, options).refused;
      return [status, JSON.parse(body).errors?.[0]?.path ?? JSON.parse(body).code];
    };
    expect(await refusal(`${run.id}/attach`, { key })).toEqual([404, 'not_found']);
    expect(await refusal(`${newId('run')}/attach`)).toEqual([404, 'not_found']);
    expect(await refusal('nonsense/attach')).toEqual([404, 'not_found']);
    expect(await refusal(`${run.id}/attach?after=5`)).toEqual([400, 'after']);
    expect(await refusal(`${run.id}/attach?nonsense=5`)).toEqual([400, 'nonsense']);
    expect(await refusal(`${run.id}/elsewhere`)).toEqual([404, 'not_found']);
  });

  test('a request that is no WebSocket', async () => {
    const run = await create();
    const response = await on.call('GET', `/v1/runs/${run.id}/attach`);
    expect(response.status).toBe(426);
    expect(response.headers.get('upgrade')).toBe('websocket');
    expect(((await response.json()) as { code: string }).code).toBe('upgrade_required');
  });
});

test('a browser’s key comes as a subprotocol, and is not sent back', async () => {
  const run = await create();
  const bearer = `runlet.bearer.${Buffer.from(apiKey).toString('base64url')}`;
  const client = attach(`${run.id}/attach`, { key: '', protocols: ['runlet', bearer] });
  await client.opened;
  expect(client.socket.protocol).toBe('runlet');
  const wrong = attach(`${run.id}/attach`, { key: '', protocols: ['runlet', 'runlet.bearer.eHh4'] });
  expect((await wrong.refused).status).toBe(401);
});

test('another kind of upgrade is ignored, and the request answered', async () => {
  const { port } = new URL(on.url);
  const answer = await new Promise<string>((resolve) => {
    let text = '';
    const socket = connect(Number(port), '127.0.0.1', () =>
      socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n'),
    );
    socket.on('data', (data) => {
      text += data.toString();
    });
    socket.on('close', () => resolve(text));
  });
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});

test('a gateway that stops asks its clients to come back', async () => {
  const other = await startGateway();
  const key = 'rlk_of-the-other-gateway';
  await other.gateway.apiKeys.put(key, { keyId: newId('key'), tenant: 'default', role: 'admin' });
  const run = await runOf(await other.call('POST', '/v1/runs', { image: 'busybox', interactive: true }), 202);
  const client = attach(`${run.id}/attach`, { key, gateway: other });
  await client.until(({ type }) => type === 'status');
  other.gateway.closing.abort();
  expect((await client.closed).code).toBe(1012);
  await other.stop();
});
