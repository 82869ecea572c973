import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../shared/ids.ts';
import { startGateway, type TestGateway } from './support.ts';

// `/k/{key}/{protocol}/…`: other systems' clients can be given an address, and nothing else.

const apiKey = 'rlk_key-in-the-path/+%20';
let on: TestGateway;
beforeAll(async () => {
  on = await startGateway();
  await on.gateway.apiKeys.put(apiKey, { keyId: newId('key'), tenant: 'paths', role: 'user' });
});
afterAll(() => on.stop());

const runtimes = (key: string, headers: Record<string, string> = {}) =>
  fetch(`${on.url}/k/${encodeURIComponent(key)}/piston/api/v2/runtimes`, { headers });

test('lets in as the header would', async () => {
  const answer = await runtimes(apiKey);
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual(await (await on.call('GET', '/piston/api/v2/runtimes')).json());
});

test('takes the place of what a client sends besides', async () => {
  expect((await runtimes(apiKey, { authorization: 'Bearer something-else-altogether' })).status).toBe(200);
});

describe('is refused in the protocol’s own words', () => {
  test.each(['nobody-has-this-key', 'not ascii: ü', '\r\nx: y'])('%j', async (key) => {
    const answer = await runtimes(key);
    expect(answer.status).toBe(401);
    expect(await answer.json()).toEqual({ message: expect.stringContaining('API key is not known') });
  });

  test('without any key', async () => {
    const answer = await fetch(`${on.url}/piston/api/v2/runtimes`);
    expect(answer.status).toBe(401);
    expect(await answer.json()).toEqual({ message: expect.stringContaining('Send your API key') });
  });
});

test.each(['v1/runs', 'docs', 'metrics', 's/svc_x/', 'k/x/piston/api/v2/runtimes', ''])(
  'opens nothing of our own: /%s',
  async (path) => {
    const answer = await fetch(`${on.url}/k/${encodeURIComponent(apiKey)}/${path}`);
    expect(answer.status).toBe(401);
    expect((await answer.text()).includes('rlk_')).toBe(false);
  },
);

test('a route or a method that is not there is told in the protocol’s own form', async () => {
  for (const [method, path, status] of [
    ['GET', '/piston/api/v2/nope', 404],
    ['PUT', '/piston/api/v2/runtimes', 405],
  ] as const) {
    const answer = await on.call(method, path);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toEqual({ message: expect.any(String) });
  }
});

test('a protocol that is not answered here is not there', async () => {
  const without = await startGateway({ RUNLET_COMPAT: 'judge0' });
  try {
    expect((await without.call('GET', '/piston/api/v2/runtimes')).status).toBe(404);
  } finally {
    await without.stop();
  }
});
