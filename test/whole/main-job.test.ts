import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import { docker } from '../support/docker.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { gone, sandboxesOf } from '../support/sandboxes.ts';

const lab = inject('lab');
/** An image that the Engine does not have yet. It is removed afterwards, so that other tests do not find it. */
const layers = `${lab.registry}/runlet-test/layers:1`;
let runlet: Runlet;
const ids: string[] = [];

beforeAll(async () => {
  runlet = await startRunlet(lab);
});
afterAll(async () => {
  await gone(lab.dockerHost, ids);
  await runlet.stop();
  // Not earlier: an image that a sandbox of the pool still uses would only lose its name, and stay.
  await docker(lab.dockerHost, 'rmi', '-f', layers).catch(() => '');
});

async function run(request: Record<string, unknown>): Promise<Run> {
  const ended = await runlet.run(request);
  ids.push(ended.id);
  return ended;
}
const sh = (script: string, more: Record<string, unknown> = {}) =>
  run({ image: 'busybox', command: ['sh', '-c', script], ...more });

test('hello-world greets and is gone', async () => {
  const ended = await run({ image: 'hello-world' });
  expect(ended).toMatchObject({
    status: 'succeeded',
    exitCode: 0,
    signal: null,
    stderr: '',
    error: null,
    attempt: 1,
  });
  expect(ended.stdout).toContain('Hello from Docker!');
  await gone(lab.dockerHost, [ended.id]);
  expect(await sandboxesOf(lab.dockerHost, [ended.id])).toEqual([]);
});

test('both streams apart, and the exit code', async () => {
  const ended = await sh('echo out; echo err >&2; exit 3');
  expect(ended).toMatchObject({ status: 'failed', exitCode: 3, stdout: 'out\n', stderr: 'err\n' });
  expect(ended.steps).toHaveLength(1);
  expect(ended.steps[0]).toMatchObject({
    name: 'run',
    status: 'failed',
    exitCode: 3,
    stdout: 'out\n',
    stderr: 'err\n',
  });
});

test('output up to the limit is kept to the byte, and the run ends as output_limit', async () => {
  const ended = await run({ image: 'busybox', command: ['yes'], limits: { outputBytes: 1_048_576 } });
  expect(ended).toMatchObject({
    status: 'output_limit',
    outputTruncated: true,
    steps: [{ limit: 'output' }],
    error: { code: 'output_limit', detail: expect.stringContaining('limits.outputBytes (1048576') },
  });
  expect(ended.stdout).toBe('y\n'.repeat(524_288));
});

test('exactly as much output as the limit is no end', async () => {
  const ended = await sh('head -c 1000 /dev/zero | tr "\\0" x', { limits: { outputBytes: 1000 } });
  expect(ended).toMatchObject({ status: 'succeeded', outputTruncated: false, stdout: 'x'.repeat(1000) });
});

test('a program over its time is timed_out and gone', async () => {
  const ended = await run({ image: 'busybox', command: ['sleep', '60'], limits: { timeoutMs: 1000 } });
  expect(ended).toMatchObject({
    status: 'timed_out',
    steps: [{ limit: 'wall' }],
    error: {
      code: 'wall_limit',
      detail: expect.stringContaining('step run took longer than limits.timeoutMs (1000 ms)'),
    },
  });
  expect(ended.timings.runMs).toBeGreaterThanOrEqual(1000);
  await gone(lab.dockerHost, [ended.id]);
});

test('a memory bomb is out_of_memory, its neighbour unharmed', async () => {
  const neighbour = sh('for i in 1 2 3; do sleep 1; echo $i; done');
  const bomb = await sh('x=a; while true; do x="$x$x"; done', { limits: { memoryBytes: 32 * 1024 * 1024 } });
  expect(bomb).toMatchObject({
    status: 'out_of_memory',
    steps: [{ limit: 'memory' }],
    error: { code: 'memory_limit', detail: expect.stringContaining('limits.memoryBytes (33554432') },
  });
  expect(await neighbour).toMatchObject({ status: 'succeeded', stdout: '1\n2\n3\n' });
});

test('stdin, env, workdir and entrypoint reach the program', async () => {
  const ended = await run({
    image: 'busybox',
    entrypoint: ['sh', '-c', 'pwd; echo "$GREETING"; cat; id -un; touch here && echo writable'],
    env: { GREETING: 'hi there' },
    stdin: 'line one\nline two\n',
    workdir: '/work',
  });
  expect(ended.stdout).toBe('/work\nhi there\nline one\nline two\nrunlet\nwritable\n');
  expect(ended.request).toMatchObject({ env: { GREETING: '***' } });
  expect(JSON.stringify(ended.request)).not.toContain('hi there');
});

test('a program that never reads its stdin ends all the same', async () => {
  const ended = await run({ image: 'busybox', command: ['true'], stdin: 'x'.repeat(1_000_000) });
  expect(ended.status).toBe('succeeded');
});

test('bytes that are no text come back bit for bit', async () => {
  const stdin = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7) % 256));
  const ended = await run({
    image: 'busybox',
    command: ['cat'],
    stdin: stdin.toString('base64'),
    stdinEncoding: 'base64',
  });
  expect(ended.outputEncoding).toBe('base64');
  expect(Buffer.from(ended.stdout, 'base64').equals(stdin)).toBe(true);
});

test.each([
  [{ image: `${lab.registry}/no/such:1` }, 'image_not_found'],
  [{ image: 'busybox', command: ['/no/such/program'] }, 'command_not_found'],
  [{ image: 'busybox', command: ['/etc/passwd'] }, 'command_not_executable'],
  [{ image: 'never-pulled:1', pull: 'never' }, 'image_not_present'],
])('%j ends as errored with a code that says why', async (request, code) => {
  const ended = await run(request);
  expect(ended).toMatchObject({ status: 'errored', exitCode: null, error: { code } });
  expect(ended.error?.detail.length).toBeGreaterThan(30);
});

test('a registry that is down, one that refuses, one with credentials, and a foreign platform', async () => {
  const { host, username, password, image } = lab.privateRegistry;
  const reference = image.startsWith(host) ? image : `${host}/${image}`;
  expect((await run({ image: '127.0.0.1:1/a/b:1' })).error?.code).toBe('registry_unavailable');
  const refused = await run({ image: reference });
  expect(refused.error?.code).toBe('registry_auth');
  const put = await runlet.call('PUT', `/v1/registries/${host}`, { username, password });
  expect(put.status).toBe(204);
  expect((await run({ image: reference, pull: 'always' })).error?.code).not.toBe('registry_auth');
  await runlet.call('DELETE', `/v1/registries/${host}`);
  await docker(lab.dockerHost, 'rmi', '-f', reference).catch(() => '');
  const foreign = await run({ image: `${lab.registry}/runlet-test/foreign:1`, pull: 'always' });
  expect(foreign).toMatchObject({ status: 'errored', error: { code: 'platform_mismatch' } });
});

test('a public name that does not exist is told as missing, also where only a mirror can be asked', async () => {
  const ended = await run({ image: 'no-such-image-anywhere' });
  // An Engine that is not ours may have no mirror, and may not reach the public registry.
  const possible = lab.ownsEngine ? ['image_not_found'] : ['image_not_found', 'registry_unavailable'];
  expect(possible).toContain(ended.error?.code);
});

test('an image is pulled with its progress on the stream, once for many runs, and its digest is recorded', async () => {
  await docker(lab.dockerHost, 'rmi', '-f', layers).catch(() => '');
  const all = await Promise.all(
    [1, 2, 3].map(() =>
      run({ image: layers, entrypoint: ['/bin/true'], limits: { memoryBytes: 16_777_216 } }),
    ),
  );
  for (const ended of all) {
    expect(ended.image?.reference).toBe(layers);
    expect(ended.image?.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    const events = await (await runlet.call('GET', `/v1/runs/${ended.id}/events`)).text();
    expect(events).toContain('"status":"done","layers":[{');
  }
  expect(all.some((ended) => (ended.timings.pullMs ?? 0) > 0)).toBe(true);
});

test('a running run is cancelled, and so is one that waits', async () => {
  const posted = await runlet.call('POST', '/v1/runs', {
    image: 'busybox',
    command: ['sleep', '60'],
    limits: { timeoutMs: 60_000 },
  });
  const { id } = (await posted.json()) as Run;
  ids.push(id);
  for (;;) {
    const now = (await (await runlet.call('GET', `/v1/runs/${id}`)).json()) as Run;
    if (now.status === 'running') break;
  }
  expect((await runlet.call('POST', `/v1/runs/${id}/cancel`)).status).toBe(202);
  expect(await runlet.ended(id)).toMatchObject({ status: 'cancelled', error: null });
  await gone(lab.dockerHost, [id]);

  const delayed = (await (
    await runlet.call('POST', '/v1/runs', { image: 'busybox', delayMs: 600_000 })
  ).json()) as Run;
  expect((await runlet.call('POST', `/v1/runs/${delayed.id}/cancel`)).status).toBe(202);
  expect((await runlet.ended(delayed.id)).status).toBe('cancelled');
});

test('the image keeps nothing outside: VOLUME, HEALTHCHECK, USER and ENTRYPOINT of an image are tamed or kept', async () => {
  const before = await docker(lab.dockerHost, 'volume', 'ls', '-q');
  const ended = await run({ image: `${lab.registry}/runlet-test/traits:1` });
  expect(ended).toMatchObject({
    status: 'succeeded',
    stdout: 'entrypoint: echo default command\ndefault command\n',
  });
  await gone(lab.dockerHost, [ended.id]);
  expect(await docker(lab.dockerHost, 'volume', 'ls', '-q')).toBe(before);
});

test('200 runs at once all end, each once, shared by two workers', async () => {
  await runlet.startWorker({ RUNLET_WORKER_NAME: 'second' });
  const requests = Array.from({ length: 100 }, (_, i) => ({
    image: 'busybox',
    command: ['echo', String(i)],
    limits: { memoryBytes: 16_777_216 },
  }));
  const batches = await Promise.all(
    [0, 1].map(() => runlet.call('POST', '/v1/runs/batch', { runs: requests })),
  );
  const posted: Run[] = [];
  for (const batch of batches) {
    expect(batch.status).toBe(207);
    posted.push(...((await batch.json()) as { results: Run[] }).results);
  }
  expect(new Set(posted.map((one) => one.id)).size).toBe(200);
  const all = await Promise.all(posted.map((one) => runlet.ended(one.id)));
  ids.push(...all.map((one) => one.id));
  for (const [index, ended] of all.entries()) {
    expect(ended).toMatchObject({ status: 'succeeded', attempt: 1, stdout: `${index % 100}\n` });
    const events = await (await runlet.call('GET', `/v1/runs/${ended.id}/events`)).text();
    expect(events.match(/^event: exit$/gm)).toHaveLength(1);
  }
  expect(new Set(all.map((one) => one.worker)).size).toBe(2);
  // (400 sandboxes, with those that are made ahead: minutes where a machine is slow and the Engine makes them.)
}, 600_000);
