import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { docker } from '../support/docker.ts';
import { ensureLoaded } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { type SecondEngine, startSecondEngine } from '../support/second-engine.ts';

/** Images that are named by their ids, on one node or on two. */
const lab = inject('lab');
let runlet: Runlet;
let second: SecondEngine;
/** The id of busybox, which the first node has; and that of an image without a name, which only the second node has. */
let id: string;
let nameless: string;
/** An image like `nameless` that is never run, so no sandbox of it waits. */
let unused: string;

beforeAll(async () => {
  await ensureLoaded(lab, 'busybox');
  id = await docker(lab.dockerHost, 'image', 'inspect', '--format', '{{.Id}}', 'busybox');
  second = await startSecondEngine(lab, 'ids', ['busybox']);
  const container = await docker(second.dockerHost, 'create', 'busybox', 'true');
  nameless = await docker(second.dockerHost, 'commit', '--change', 'ENV WHERE=second', container);
  unused = await docker(second.dockerHost, 'commit', container);
  await docker(second.dockerHost, 'rm', container);
  runlet = await startRunlet(lab);
  await runlet.startWorker({ RUNLET_WORKER_NAME: 'second', DOCKER_HOST: second.dockerHost });
}, 600_000);
afterAll(async () => {
  await runlet.stop();
  await second.stop();
});

const hex = () => id.replace('sha256:', '');

test.each([
  ['all of it', () => id],
  ['without its algorithm', () => hex()],
  ['as it is shown', () => hex().slice(0, 12)],
])('a run is of the image whose id is named, %s', async (_, name) => {
  const image = name();
  for (let again = 0; again < 2; again += 1)
    expect(await runlet.run({ image, command: ['echo', 'hi'] })).toMatchObject({
      status: 'succeeded',
      stdout: 'hi\n',
      image: { reference: image },
    });
});

test('a run goes to the node that has the image, and a service, too', async () => {
  for (const image of [nameless, nameless.replace('sha256:', '').slice(0, 12)])
    for (let again = 0; again < 3; again += 1)
      expect(await runlet.run({ image, command: ['sh', '-c', 'echo $WHERE'] })).toMatchObject({
        stdout: 'second\n',
        error: null,
      });
  const request = { name: 'by-id', image: nameless, command: ['sleep', '600'] };
  const answer = await runlet.call('POST', '/v1/services', request, { prefer: 'wait=30' });
  expect(await answer.json()).toMatchObject({ status: 'ready', image: { reference: nameless } });
  expect((await runlet.call('DELETE', '/v1/services/by-id')).ok).toBe(true);
});

test('it is listed by its id, as it has no name', async () => {
  const { data } = (await (await runlet.call('GET', '/v1/images?limit=100')).json()) as {
    data: { reference: string; id: string }[];
  };
  expect(data).toContainEqual(expect.objectContaining({ reference: nameless, id: nameless }));
});

describe('an id that no node has', () => {
  const absent = '0'.repeat(64);

  test.each([
    ['is told, as it is never pulled', { image: absent }, 'image_not_found'],
    ['is told with its algorithm', { image: `sha256:${absent}` }, 'image_not_found'],
    ['is told where nothing is to be pulled', { image: absent, pull: 'never' }, 'image_not_present'],
    [
      'is told of a beginning, once no registry has it as a name',
      { image: 'cafe0123beef' },
      'image_not_found',
    ],
  ])('%s', async (_, request, code) => {
    const run = await runlet.run({ ...request, command: ['true'] });
    expect(run).toMatchObject({ status: 'errored', error: { code } });
    expect(run.error?.detail).toContain('an image is never pulled by its id');
  });

  test('cannot be pulled, and cannot be removed', async () => {
    const pulled = await runlet.call('POST', '/v1/images/pull', { image: absent });
    expect(await pulled.json()).toMatchObject({ status: 400, errors: [{ path: 'image' }] });
    const always = await runlet.call('POST', '/v1/runs', { image: absent, pull: 'always' });
    expect(await always.json()).toMatchObject({ status: 400, errors: [{ path: 'pull' }] });
    expect((await runlet.call('DELETE', `/v1/images/${absent}`)).status).toBe(404);
  });
});

test('an image can be removed by its id', async () => {
  const answer = await runlet.call('DELETE', `/v1/images/${encodeURIComponent(unused)}`);
  const { data } = (await answer.json()) as { data: { removed: boolean }[] };
  expect(data.filter(({ removed }) => removed)).toHaveLength(1);
});
