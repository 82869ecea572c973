import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { gone } from '../support/sandboxes.ts';

/** How much a run may be given, and may leave behind: its output in Redis, its artifacts in the blob store. */
const lab = inject('lab');

const shell = (script: string, more: Record<string, unknown> = {}) => ({
  image: 'busybox',
  workdir: '/work',
  command: ['sh', '-c', script],
  ...more,
});

describe('bounds', () => {
  let runlet: Runlet;
  beforeAll(async () => {
    runlet = await startRunlet(lab, {
      env: {
        RUNLET_MAX_OUTPUT_BYTES: '10000',
        RUNLET_MAX_ARTIFACTS: '3',
        RUNLET_MAX_ARTIFACT_BYTES: '10000',
      },
    });
  });
  afterAll(() => runlet.stop());

  const kept = async (script: string, artifacts: string[]) => {
    const run = await runlet.run(shell(script, { artifacts }));
    return { ...run, paths: run.artifacts.map(({ path }) => path) };
  };

  test('all steps of a run together keep no more output than a run may', async () => {
    const run = await runlet.run(
      shell('head -c 4000 /dev/zero | tr "\\0" x', {
        inputs: Array.from({ length: 5 }, () => ({})),
        limits: { outputBytes: 5000 },
      }),
    );
    expect(run.stdout).toBe('x'.repeat(10_000));
    expect(run.steps.map(({ status }) => status)).toEqual([
      'succeeded',
      'succeeded',
      'output_limit',
      'output_limit',
      'output_limit',
    ]);
    expect(run).toMatchObject({
      status: 'output_limit',
      outputTruncated: true,
      error: { code: 'output_limit', detail: expect.stringMatching(/^The step run\[2\] .*10000 bytes/) },
    });
    expect(run.steps.map(({ limit }) => limit)).toEqual([null, null, 'output', 'output', 'output']);
  });

  test('what a writable run may write to its root file system', async () => {
    // It has a folder to which everybody may write.
    await ensureImages(lab, ['debian:bookworm-slim']);
    const run = await runlet.run({
      image: 'debian:bookworm-slim',
      writable: true,
      command: [
        'sh',
        '-c',
        'echo begun; for i in 1 2 3 4; do head -c 900000 /dev/zero > /var/tmp/$i; done; sleep 60',
      ],
      limits: { diskBytes: 1_048_576, timeoutMs: 30_000 },
    });
    expect(run).toMatchObject({
      status: 'failed',
      stdout: 'begun\n',
      steps: [{ limit: 'disk' }],
      error: { code: 'disk_limit', detail: expect.stringContaining('limits.diskBytes (1048576') },
    });
  });

  test('a full work folder is the program’s own failure', async () => {
    const run = await runlet.run(
      shell('head -c 3000000 /dev/zero > big', { limits: { diskBytes: 1_048_576 } }),
    );
    expect(run).toMatchObject({ status: 'failed', exitCode: 1, steps: [{ limit: null }], error: null });
  });

  test('a step that says nothing succeeds whatever those before it have said', async () => {
    const run = await runlet.run(
      shell('cat', {
        inputs: [{ stdin: 'x'.repeat(10_000) }, { stdin: '' }],
        limits: { outputBytes: 10_000 },
      }),
    );
    expect(run.stdout).toHaveLength(10_000);
    expect(run).toMatchObject({ status: 'succeeded', outputTruncated: false });
  });

  test('so many artifacts are kept, in the order of their paths', async () => {
    const run = await kept('for i in 4 2 3 1; do echo $i > $i; done', ['*']);
    expect(run.paths).toEqual(['1', '2', '3']);
    expect(run).toMatchObject({ status: 'succeeded', exitCode: 0, error: { code: 'artifact_limit' } });
    expect(run.error?.detail).toContain('at most 3 files and 10000 bytes');
  });

  test('so many bytes of artifacts are kept', async () => {
    const run = await kept('head -c 6000 /dev/zero > a; head -c 6000 /dev/zero > b; exit 3', ['*']);
    expect(run.paths).toEqual(['a']);
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'artifact_limit' } });
    expect(await kept('head -c 10000 /dev/zero > a', ['*'])).toMatchObject({ paths: ['a'], error: null });
  });

  test('a file that its user may not read is left out, and the run is what it was', async () => {
    const run = await kept('for i in a b c; do echo $i > $i; done; chmod 0 b', ['*']);
    expect(run.paths).toEqual(['a', 'c']);
    expect(run).toMatchObject({ status: 'succeeded', exitCode: 0, error: { code: 'artifact_limit' } });
    expect(run.error?.detail).toMatch(/ b could not be read/);
  });

  test('a file whose name is no UTF-8 is told, as it would have been one of those to keep', async () => {
    const make = 'mkdir out; echo a > "$(printf "out/caf\\351.txt")"; echo b > out/tea.txt';
    const run = await kept(make, ['out/*.txt']);
    expect(run.paths).toEqual(['out/tea.txt']);
    expect(run).toMatchObject({ status: 'succeeded', exitCode: 0, error: { code: 'artifact_limit' } });
    expect(run.error?.detail).toContain('out/caf\\xe9.txt has a name that is no UTF-8');
    expect(await kept(make, ['out/tea*'])).toMatchObject({ paths: ['out/tea.txt'], error: null });
  });

  test('so is what lies in a folder of such a name', async () => {
    const run = await kept('d="$(printf "\\377")"; mkdir $d; echo a > $d/a; echo b > $d/b; echo c > c', [
      '**',
    ]);
    expect(run.paths).toEqual(['c']);
    expect(run.error?.detail).toContain('2 files, among them \\xff/a have names that are no UTF-8');
  });

  test.each([
    ['a line end', 'a\nb'],
    ['what stands for a character that is none', 'a\ufffd'],
    ['a combining accent and an emoji', 'e\u0301😀'],
    ['255 bytes', 'x'.repeat(255)],
  ])('a name with %s is kept as it is, and fetched by it', async (_, name) => {
    const run = await runlet.run({
      ...shell('printf kept > "$1"', { artifacts: ['*'] }),
      command: ['sh', '-c', 'printf kept > "$1"', 'sh', name],
    });
    expect(run).toMatchObject({ artifacts: [{ path: name }], error: null });
    const answer = await runlet.call('GET', `/v1/runs/${run.id}/artifacts/${encodeURIComponent(name)}`);
    expect(await answer.text()).toBe('kept');
  });

  test('files that lie too deep to be found are spoken of', async () => {
    const run = await kept('echo x > a; for i in $(seq 70); do mkdir d; cd d; done; echo y > b', ['**']);
    expect(run.paths).toEqual(['a']);
    expect(run).toMatchObject({ status: 'succeeded', error: { code: 'artifact_limit' } });
    expect(run.error?.detail).toContain('64 folders');
  });

  test('a run is told the same of arguments that the kernel refuses and of those that its init cannot be told', async () => {
    const given = (count: number) => Array.from({ length: count }, () => 'x'.repeat(120_000));
    // execve(2): a quarter of the stack's limit, and at most 6 MiB.
    const limits = { stackBytes: 8_388_608 };
    for (const args of [given(30), given(40)])
      expect(await runlet.run({ image: 'busybox', command: ['true'], args, limits })).toMatchObject({
        status: 'errored',
        error: { code: 'start_failed', detail: expect.stringContaining('too long') },
        steps: [{ name: 'run', status: 'errored' }],
      });
  });
});

describe('text that is cut', () => {
  let runlet: Runlet;
  beforeAll(async () => {
    runlet = await startRunlet(lab, { env: { RUNLET_MAX_OUTPUT_BYTES: '100' } });
  });
  afterAll(() => runlet.stop());

  const euros = (count: number) => `i=0; while [ $i -lt ${count} ]; do printf €; i=$((i+1)); done`;

  test('by its limit, ends with a whole character', async () => {
    const run = await runlet.run(shell(euros(10), { limits: { outputBytes: 10 } }));
    expect(run).toMatchObject({
      status: 'output_limit',
      stdout: '€€€',
      outputEncoding: 'utf8',
      outputTruncated: true,
      steps: [{ stdout: '€€€', stdoutEncoding: 'utf8', stderrEncoding: 'utf8' }],
    });
  });

  test('by the limit of all steps together, ends with a whole character, and leaves the others what they are', async () => {
    const run = await runlet.run(shell(euros(20), { inputs: [{}, {}], limits: { outputBytes: 80 } }));
    expect(run.steps.map(({ stdout, stdoutEncoding }) => [stdout, stdoutEncoding])).toEqual([
      ['€'.repeat(20), 'utf8'],
      ['€'.repeat(13), 'utf8'],
    ]);
    expect(run).toMatchObject({ stdout: '€'.repeat(33), outputEncoding: 'utf8', outputTruncated: true });
  });

  test.each([
    ['its time', { limits: { timeoutMs: 700 } }, 'timed_out'],
    ['its CPU time', { limits: { cpuTimeMs: 200 } }, 'timed_out'],
  ])('by %s, ends with a whole character', async (_, more, status) => {
    const run = await runlet.run(shell('printf "a€\\342\\202"; while :; do :; done', more));
    expect(run).toMatchObject({ status, stdout: 'a€', outputEncoding: 'utf8', outputTruncated: true });
  });

  test('by somebody, ends with a whole character', async () => {
    const answer = await runlet.call(
      'POST',
      '/v1/runs',
      shell('printf "a€\\342"; printf ready >&2; sleep 60'),
    );
    const { id } = (await answer.json()) as { id: string };
    const stderr = async () =>
      ((await (await runlet.call('GET', `/v1/runs/${id}`)).json()) as { stderr: string }).stderr;
    await expect.poll(stderr).toBe('ready');
    await runlet.call('POST', `/v1/runs/${id}/cancel`);
    expect(await runlet.ended(id)).toMatchObject({
      status: 'cancelled',
      stdout: 'a€',
      outputEncoding: 'utf8',
      outputTruncated: true,
    });
  });

  test('by want of memory, ends with a whole character', async () => {
    const run = await runlet.run(
      shell('printf "a€\\342"; head -c 100000000 /dev/zero | tail', { limits: { memoryBytes: 16_777_216 } }),
    );
    expect(run).toMatchObject({
      status: 'out_of_memory',
      stdout: 'a€',
      outputEncoding: 'utf8',
      outputTruncated: true,
    });
  });

  test('by the program itself, keeps every byte', async () => {
    const run = await runlet.run(shell('printf "a\\342\\202"; exit 3'));
    expect(run).toMatchObject({
      status: 'failed',
      stdout: Buffer.from('a\xe2\x82', 'latin1').toString('base64'),
      outputEncoding: 'base64',
      outputTruncated: false,
    });
  });

  test('what never was text keeps every byte, and makes base64 of its own stream alone', async () => {
    const run = await runlet.run(
      shell('cat; echo ž >&2', {
        inputs: [{ stdin: '/+KC', stdinEncoding: 'base64' }, { stdin: 'text' }],
      }),
    );
    expect(run.steps).toMatchObject([
      { stdout: '/+KC', stdoutEncoding: 'base64', stderr: 'ž\n', stderrEncoding: 'utf8' },
      { stdout: 'text', stdoutEncoding: 'utf8', stderr: 'ž\n', stderrEncoding: 'utf8' },
    ]);
    expect(run.outputEncoding).toBe('base64');
    expect(Buffer.from(run.stderr, 'base64').toString()).toBe('ž\nž\n');
  });
});

describe('a blob store that does not answer', () => {
  let runlet: Runlet;
  let store: Server;
  let asked = Promise.withResolvers<void>();
  beforeAll(async () => {
    // What is stored, not what the worker asks for by itself.
    store = createServer(({ method }) => {
      if (method === 'PUT' || method === 'POST') asked.resolve();
    });
    await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve));
    runlet = await startRunlet(lab, {
      env: {
        RUNLET_S3_ENDPOINT: `http://127.0.0.1:${(store.address() as AddressInfo).port}`,
        RUNLET_S3_BUCKET: 'artifacts',
        RUNLET_S3_ACCESS_KEY_ID: 'key',
        RUNLET_S3_SECRET_ACCESS_KEY: 'secret',
      },
    });
  });
  afterAll(async () => {
    await runlet.stop();
    store.closeAllConnections();
    await new Promise((resolve) => store.close(resolve));
  });

  test('keeps no run from being cancelled, with its container', async () => {
    asked = Promise.withResolvers();
    const wanted = shell('echo said; echo kept > a', { artifacts: ['a'] });
    const { id } = (await (await runlet.call('POST', '/v1/runs', wanted)).json()) as { id: string };
    await asked.promise;
    expect((await runlet.call('POST', `/v1/runs/${id}/cancel`)).status).toBe(202);
    const run = await runlet.ended(id);
    expect(run).toMatchObject({ status: 'cancelled', stdout: 'said\n', artifacts: [] });
    await gone(lab.dockerHost, [id]);
  });
});
