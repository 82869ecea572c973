import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createDockerEngine } from '../../../services/worker/engine/docker/docker-engine.ts';

/** A socket that refuses removals as Docker does when something of the container is busy, so many times. */
async function refusing(times: number) {
  const folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  const asked: string[] = [];
  const server = createServer((incoming, outgoing) => {
    asked.push(`${incoming.method} ${incoming.url?.replace(/^\/v[\d.]+/, '')}`);
    incoming.resume();
    if (asked.length > times) return outgoing.writeHead(204).end();
    outgoing.writeHead(500, { 'content-type': 'application/json' });
    outgoing.end('{"message":"unable to remove filesystem for 1: device or resource busy"}');
  });
  const socket = join(folder, 'docker.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const engine = createDockerEngine({ dockerHost: `unix://${socket}` });
  onTestFinished(async () => {
    engine.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });
  return { engine, asked };
}

test('a container that was busy when it was to go goes at the next try', async () => {
  const { engine, asked } = await refusing(2);
  await engine.containers.remove('run-1');
  expect(asked).toEqual(Array(3).fill('DELETE /containers/run-1?force=1&v=1'));
});

test('one that stays busy is given up, which is said in our words', async () => {
  const { engine, asked } = await refusing(1_000);
  await expect(engine.containers.remove('run-1')).rejects.toThrow('something else is under way with it');
  expect(asked).toHaveLength(5);
});
