import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createLog } from '../../shared/log.ts';
import { masked } from '../../shared/masking.ts';
import { closeRedis, connectRedis } from '../../shared/redis.ts';
import { until } from '../gateway/support.ts';
import { speak } from './support/http.ts';

// What opens a door is in no log, wherever a client has put it.

const key = `rlk_${randomBytes(24).toString('base64url')}`;
const ownKey = `operators-own-${randomBytes(12).toString('hex')}`;
const prefix = `gw${randomBytes(6).toString('hex')}`;
const folder = mkdtempSync(join(tmpdir(), 'gw-logs-'));
let said = '';
let port = 0;
let gateway: ReturnType<typeof spawn>;

beforeAll(async () => {
  gateway = spawn(process.execPath, ['services/gateway/main.ts'], {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      RUNLET_REDIS_URL: inject('lab').redisUrl,
      RUNLET_REDIS_PREFIX: prefix,
      RUNLET_SECRET_KEY: '0123456789abcdef0123456789abcdef',
      RUNLET_API_KEY: key,
      RUNLET_PORT: '0',
      RUNLET_LOG_LEVEL: 'trace',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [gateway.stdout, gateway.stderr])
    stream?.on('data', (data: Buffer) => {
      said += data.toString('utf8');
    });
  await until(async () => said.includes('"msg":"listening"'));
  port = Number(/"address":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(said)?.[1]);
});
afterAll(async () => {
  gateway.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
  const redis = connectRedis(inject('lab').redisUrl, 'loop', createLog('test', 'silent'));
  const keys = await redis.keys(`{${prefix}}*`);
  if (keys.length > 0) await redis.del(...keys);
  await closeRedis(redis);
});

test('a key in a path, a query or a field of a request is not written down', async () => {
  const bearer = `Authorization: Bearer ${key}\r\n`;
  const secret = `whsec_${randomBytes(24).toString('base64')}`;
  const body = JSON.stringify({
    image: key,
    [key]: secret,
    env: { A: ownKey },
    webhook: { url: `http://${ownKey}:x@h/` },
  });
  const json = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  const requests = [
    `GET /v1/runs/${key} HTTP/1.1\r\n${bearer}`,
    `GET /v1/runs/${ownKey} HTTP/1.1\r\n${bearer}`,
    `GET /${key} HTTP/1.1\r\n${bearer}`,
    `GET /v1/${ownKey}/x HTTP/1.1\r\n${bearer}`,
    `GET /v1/runs?key=${ownKey} HTTP/1.1\r\n${bearer}`,
    `GET /v1/runs/x/artifacts/${key} HTTP/1.1\r\n${bearer}`,
    `GET /v1/services/${key}/files/${ownKey} HTTP/1.1\r\n${bearer}`,
    `DELETE /v1/images/${encodeURIComponent(`https://user:${ownKey}@h/x`)} HTTP/1.1\r\n${bearer}`,
    `GET /${key} HTTP/1.1\r\n`,
    `GET /docs/${key} HTTP/1.1\r\n`,
    `GET http://localhost/${key} HTTP/1.1\r\n`,
    `GET /healthz HTTP/1.1\r\nX-Request-Id: ${key}\r\n`,
    `GET /healthz HTTP/1.1\r\nX-Request-Id: ${ownKey}\r\nAuthorization: Bearer ${ownKey}\r\n`,
    `GET /healthz HTTP/1.1\r\nUser-Agent: ${key}\r\nReferer: http://x/${key}\r\n`,
    `${ownKey} /v1/runs HTTP/1.1\r\n${bearer}`,
    `POST /v1/runs HTTP/1.1\r\n${bearer}Idempotency-Key: ${key}\r\n${json}`,
    `POST /v1/runs HTTP/1.1\r\n${bearer}Prefer: wait=${key}\r\n${json}`,
    `GET /s/${key}/ HTTP/1.1\r\n`,
    `GET /v1/runs/${key}/attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: runlet.bearer.${Buffer.from(key).toString('base64url')}\r\n`,
  ];
  for (const head of requests) {
    const { text } = await speak(
      port,
      `${head}Host: localhost\r\n${head.includes('Upgrade') ? '' : 'Connection: close\r\n'}\r\n${head.includes('Content-Length') ? body : ''}`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 \d{3} /);
  }
  await expect.poll(() => said.match(/"msg":"request"/g)?.length ?? 0).toBeGreaterThanOrEqual(16);
  for (const text of [key, ownKey, secret, Buffer.from(key).toString('base64url')])
    expect(said).not.toContain(text);
  expect(said).toContain('"route":"/v1/runs/{id}"');
});

test.each([
  [`{"reason":"GET /v1/x/${key} failed"}`, key],
  [`{"err":{"stack":"Error: ${key}\\n at"}}`, key],
  ['redis://user:hunter2@10.0.0.1:6379 refused', 'hunter2'],
  ['postgres://:p%40ss@h/db', 'p%40ss'],
  ['{"url":"https://me:it@hooks.example/x?token=abcdef"}', 'abcdef'],
  ['http://a.localhost/?runlet_token=lx2k.AbC-_d', 'AbC-_d'],
  ['Authorization: Bearer eyJhbGciOi.x.y', 'eyJhbGciOi'],
  ['Authorization: Basic dXNlcjpwYXNz', 'dXNlcjpwYXNz'],
  ['whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', 'C2FVsBQIhrscChlQIMV'],
])('%s loses what opens a door, and stays a line', (line, secret) => {
  expect(masked(line)).not.toContain(secret);
  if (line.startsWith('{')) JSON.parse(masked(line));
});

test('what is none stays', () => {
  for (const line of [
    'http://h/x@y',
    'run_0199aa',
    'mail me@x.example',
    '{"route":"/v1/runs/{id}","ms":1}',
    'a bearer of news',
  ])
    expect(masked(line)).toBe(line);
});
