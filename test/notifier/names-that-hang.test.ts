import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Scene, startScene, web } from './support/scene.ts';

const lab = inject('lab');
let scene: Scene;

beforeAll(async () => {
  scene = await startScene(lab, {
    RUNLET_WEBHOOK_SCHEDULE_MS: '3600000',
    RUNLET_WEBHOOK_TIMEOUT_MS: '60000',
  });
});
afterAll(() => scene.stop());

/** libuv resolves two names at a time in its threads: the third would wait until one of them is given up. */
test('names whose servers keep silent hold up no others', async () => {
  const { island, webhooks } = scene;
  const silent = Array.from({ length: 8 }, (_, index) => `silent${index}.example`);
  for (const name of silent) island.names.set(name, () => undefined);
  island.names.set('healthy.example', () => ['203.0.114.10']);
  await island.at(
    '203.0.114.10',
    80,
    web((_, response) => response.writeHead(204).end()),
  );
  const hanging = [];
  for (const name of silent) {
    const { id } = await webhooks.register(`http://${name}/`);
    hanging.push((await webhooks.send(id)).id);
  }
  const { id } = await webhooks.register('http://healthy.example/');
  const healthy = await webhooks.settled((await webhooks.send(id)).id);
  expect(healthy.status).toBe('delivered');
  const others = await Promise.all(hanging.map(webhooks.read));
  expect(others.filter(({ attempts }) => attempts.length === 0).length).toBeGreaterThan(0);
  // All had been asked for: they did not wait for one another either.
  expect(new Set(island.asked)).toEqual(new Set([...silent, 'healthy.example']));
});
