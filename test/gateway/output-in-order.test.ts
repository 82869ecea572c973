import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NewEvent } from '../../shared/stores/runs.ts';
import { pathsOf, problemOf, runOf, startGateway, type TestGateway, until } from './support.ts';
import { actAsWorker } from './worker.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway();
});
afterAll(() => on.stop());

const image = { image: 'hello-world' };
const out = (data: string | Buffer): NewEvent => ({ type: 'stdout', data });
const err = (data: string | Buffer): NewEvent => ({ type: 'stderr', data });

/** A run that wrote this, in this order, as one write or in several. */
async function ended(...written: NewEvent[][]): Promise<string> {
  const { id } = await runOf(await on.call('POST', '/v1/runs', image), 202);
  const worker = actAsWorker(on);
  const holder = await worker.start(id);
  for (const entries of written) await worker.append(holder, ...entries);
  await worker.finish(holder);
  return id;
}
const read = async (id: string, query = '') =>
  (await runOf(await on.call('GET', `/v1/runs/${id}${query}`), 200)).steps[0];

test('`output` of a step has both streams in the order in which they came', async () => {
  const id = await ended([out('1'), err('2')], [out('3'), out('4')], [err('é'), out('6\n')]);
  expect(await read(id, '?output=true')).toMatchObject({
    stdout: '1346\n',
    stderr: '2é',
    output: '1234é6\n',
    outputEncoding: 'utf8',
  });
});

test('it is there only when it is asked for', async () => {
  const id = await ended([out('1'), err('2')]);
  for (const query of ['', '?output=false']) {
    const step = await read(id, query);
    expect(step).toMatchObject({ stdout: '1', stderr: '2' });
    expect(step).not.toHaveProperty('output');
    expect(step).not.toHaveProperty('outputEncoding');
  }
  const { data } = (await (await on.call('GET', '/v1/runs?limit=1')).json()) as { data: object[] };
  expect(data[0]).not.toHaveProperty('steps.0.output');
});

test('it is empty where nothing was written', async () => {
  expect(await read(await ended(), '?output=true')).toMatchObject({ output: '', outputEncoding: 'utf8' });
});

test('its encoding is its own: bytes of one stream make base64 of both together only', async () => {
  const bytes = Buffer.from([0xff, 0xfe]);
  expect(await read(await ended([err('said '), out(bytes)]), '?output=true')).toMatchObject({
    stdoutEncoding: 'base64',
    stderr: 'said ',
    stderrEncoding: 'utf8',
    output: Buffer.concat([Buffer.from('said '), bytes]).toString('base64'),
    outputEncoding: 'base64',
  });
});

test('whoever waits for the run that they create has it too', async () => {
  const call = await on.caller('waits');
  const answer = call('POST', '/v1/runs?output=true', image, { prefer: 'wait=30' });
  const id = await until(async () => {
    const { data } = (await (await call('GET', '/v1/runs')).json()) as { data: { id: string }[] };
    return data[0]?.id;
  });
  const worker = actAsWorker(on);
  const holder = await worker.start(id);
  await worker.append(holder, err('first '), out('second'));
  await worker.finish(holder);
  expect((await runOf(await answer, 200)).steps).toMatchObject([{ output: 'first second' }]);
});

test('of a run that is judged it is there without being asked, but not in lists', async () => {
  const judged = { ...image, mergeStderr: true };
  const created = await runOf(await on.call('POST', '/v1/runs', judged), 202);
  const worker = actAsWorker(on);
  const holder = await worker.start(created.id);
  await worker.append(holder, out('written'));
  await worker.finish(holder);
  expect(await read(created.id)).toMatchObject({ output: 'written' });
  const { data } = (await (await on.call('GET', '/v1/runs?limit=1')).json()) as { data: object[] };
  expect(data[0]).toMatchObject({ id: created.id, steps: [{ stdout: 'written' }] });
  expect(data[0]).not.toHaveProperty('steps.0.output');
});

test('another value is refused', async () => {
  const problem = await problemOf(
    await on.call('POST', '/v1/runs?output=1', image),
    400,
    'validation_failed',
  );
  expect(pathsOf(problem)).toEqual(['output']);
});
