import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { freeName } from '../../services/gateway/services/free-name.ts';
import type { Service } from '../../shared/contracts/service.ts';
import { startGateway, type TestGateway } from './support.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway();
});
afterAll(() => on.stop());

async function made(image: string): Promise<Service> {
  const answer = await on.call('POST', '/v1/services', { image });
  expect(answer.status).toBe(202);
  const service = (await answer.json()) as Service;
  onTestFinished(async () => void (await on.call('DELETE', `/v1/services/${service.id}`)));
  return service;
}

test.each([
  ['nginx', 'nginx'],
  ['nginx:1.27-alpine', 'nginx'],
  ['registry.example.com:5000/team/web_app.v2:latest', 'web-app-v2'],
  [`library/${'long-'.repeat(20)}name`, 'long-'.repeat(10).slice(0, -1)],
  [`sha256:${'a'.repeat(64)}`, 's'],
])('a service of %s without a name is called by its image', async (image, start) => {
  const { id, name } = await made(image);
  expect(name).toBe(`${start}-${id.slice(-4)}`);
  expect(await (await on.call('GET', `/v1/services/${name}`)).json()).toMatchObject({ id });
});

test('a name that is taken is not taken again', async () => {
  const { name } = await made('busybox');
  const id = `svc_${'0123456789ab'.repeat(3).slice(0, 28)}${name.slice(-4)}`;
  expect(await freeName(on.gateway, 'default', 'busybox', id)).toBe(`busybox-${id.slice(-12)}`);
  expect(await freeName(on.gateway, 'another', 'busybox', id)).toBe(name);
});
