import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { closeRedis, connectRedis } from '../../shared/redis.ts';
import { sealerFor } from '../../shared/secrets.ts';
import { emptyState } from '../../shared/stores/run-record.ts';
import { createRunStore } from '../../shared/stores/runs.ts';
import { sseReader } from './sse.ts';
import { runOf, until } from './support.ts';

/** The program as it is started: main.ts in a process of its own. */
type Started = { child: ChildProcess; lines: string[]; address: string; exited: Promise<number | null> };

let folder: string;
let prefix: string;
const secret = '0123456789abcdef0123456789abcdef';
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gw-process-'));
  prefix = `gw${randomBytes(6).toString('hex')}`;
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
  const redis = connectRedis(inject('lab').redisUrl, 'loop', createLog('test', 'silent'));
  const keys = await redis.keys(`{${prefix}}*`);
  if (keys.length > 0) await redis.del(...keys);
  await closeRedis(redis);
});

async function start(env: Record<string, string> = {}): Promise<Started> {
  const child = spawn(process.execPath, ['services/gateway/main.ts'], {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      RUNLET_REDIS_URL: inject('lab').redisUrl,
      RUNLET_REDIS_PREFIX: prefix,
      RUNLET_SECRET_KEY: secret,
      RUNLET_PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.on('data', (data: Buffer) => {
      const parts = (rest + data.toString('utf8')).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
    });
  }
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const line = await until(async () => {
    if (child.exitCode !== null) throw new Error(lines.join('\n'));
    return lines.find((one) => one.includes('"msg":"listening"'));
  });
  return { child, lines, address: (JSON.parse(line) as { address: string }).address, exited };
}

const authorized = (apiKey: string, more: Record<string, string> = {}) => ({
  authorization: `Bearer ${apiKey}`,
  'content-type': 'application/json',
  ...more,
});
const body = JSON.stringify({ image: 'hello-world', env: { TOKEN: 'hunter2-secret' } });

test('the first start makes a key, prints it once, and keeps it for the CLI', async () => {
  const first = await start();
  const file = join(folder, '.config/runlet/config.json');
  const kept = JSON.parse(await readFile(file, 'utf8')) as { url: string; apiKey: string };
  expect(kept).toEqual({ url: first.address, apiKey: expect.stringMatching(/^rlk_[\w-]{32}$/) });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(first.lines.filter((line) => line.includes(kept.apiKey))).toHaveLength(1);
  await runOf(
    await fetch(`${first.address}/v1/runs`, { method: 'POST', headers: authorized(kept.apiKey), body }),
    202,
  );

  const second = await start();
  expect(second.lines.join('\n')).not.toContain('rlk_');
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(kept);
  await fetch(`${second.address}/v1/runs`, { headers: authorized(kept.apiKey) }).then((response) =>
    expect(response.status).toBe(200),
  );
  // One line a request, without a key, a body or a query in it.
  await until(async () => first.lines.some((line) => line.includes('"msg":"request"')));
  expect(first.lines.filter((line) => line.includes('"msg":"request"')).join()).not.toMatch(/hunter2|rlk_/);
});

test('of two first starts at once one makes the key', async () => {
  const both = await Promise.all([
    start({ RUNLET_CONFIG_DIR: folder }),
    start({ RUNLET_CONFIG_DIR: folder }),
  ]);
  expect(both.flatMap(({ lines }) => lines).filter((line) => line.includes('rlk_'))).toHaveLength(1);
  const { apiKey } = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as { apiKey: string };
  for (const { address } of both)
    expect((await fetch(`${address}/v1/runs`, { headers: authorized(apiKey) })).status).toBe(200);
});

test('the operator’s own key works, and no file is written', async () => {
  const apiKey = 'operator-key-0123456789';
  const { address, lines } = await start({ RUNLET_API_KEY: apiKey });
  expect((await fetch(`${address}/metrics`, { headers: authorized(apiKey) })).status).toBe(200);
  await expect(stat(join(folder, '.config'))).rejects.toThrow('ENOENT');
  expect(lines.join()).not.toContain(apiKey);
});

test('a variable that is not valid is named, its value is not', async () => {
  await expect(start({ RUNLET_PORT: 'eighty', RUNLET_SECRET_KEY: 'tooshort-value' })).rejects.toThrow(
    /RUNLET_SECRET_KEY[\s\S]*RUNLET_PORT|RUNLET_PORT[\s\S]*RUNLET_SECRET_KEY/,
  );
  await expect(start({ RUNLET_SECRET_KEY: 'tooshort-value' })).rejects.not.toThrow(/tooshort-value/);
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s: streams end, who waits is answered, then it ends with 0',
  async (signal) => {
    const apiKey = 'operator-key-0123456789';
    const { address, child, exited, lines } = await start({
      RUNLET_API_KEY: apiKey,
      RUNLET_DRAIN_MS: '3000',
    });
    const post = (headers: Record<string, string> = {}) =>
      fetch(`${address}/v1/runs`, { method: 'POST', headers: authorized(apiKey, headers), body });
    const run = await runOf(await post(), 202);
    const stream = sseReader(
      await fetch(`${address}/v1/runs/${run.id}/events`, { headers: authorized(apiKey) }),
    );
    await stream.next();
    const waiting = post({ prefer: 'wait=60' });
    await until(async () => lines.length > 0 && (await count(address, apiKey)) === 2);
    child.kill(signal);
    expect(await stream.next()).toBeUndefined();
    // It did not end in time: the run as it is, stored.
    expect((await runOf(await waiting, 202)).status).toBe('queued');
    expect(await exited).toBe(0);
    await expect(fetch(`${address}/healthz`)).rejects.toThrow();
    expect(lines.join('\n')).not.toMatch(/error|unhandled/i);
  },
);

test('a wait that ends while the gateway stops gets its finished run', async () => {
  const apiKey = 'operator-key-0123456789';
  const { address, child, exited } = await start({ RUNLET_API_KEY: apiKey, RUNLET_DRAIN_MS: '30000' });
  const waiting = fetch(`${address}/v1/runs`, {
    method: 'POST',
    headers: authorized(apiKey, { prefer: 'wait=60' }),
    body,
  });
  await until(async () => (await count(address, apiKey)) === 1);
  const redis = connectRedis(inject('lab').redisUrl, 'loop', createLog('test', 'silent'));
  const runs = createRunStore(redis, keysFor(prefix), sealerFor(secret));
  const [id = ''] = await runs.ids('default', undefined, 1);
  child.kill('SIGTERM');
  const claim = await runs.claim(id, 'wrk_test');
  if (claim.verdict !== 'claimed') throw new Error(claim.verdict);
  await runs.finish(
    { runId: id, tenant: 'default', attempt: 1, worker: 'wrk_test' },
    'succeeded',
    emptyState,
    0,
    claim.head.createdAt,
  );
  await closeRedis(redis);
  expect((await runOf(await waiting, 200)).status).toBe('succeeded');
  expect(await exited).toBe(0);
});

async function count(address: string, apiKey: string): Promise<number> {
  const response = await fetch(`${address}/v1/runs`, { headers: authorized(apiKey) });
  return ((await response.json()) as { data: unknown[] }).data.length;
}
