import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import type { Worker } from '../../shared/contracts/worker.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { endSandbox, sandboxesOn, warmSandboxes } from '../support/sandboxes.ts';
import { holdsForRuns } from './any-isolation.ts';

const lab = inject('lab');
let runlet: Runlet;

beforeAll(async () => {
  runlet = await startRunlet(lab);
});
afterAll(() => runlet.stop());

const sh = (script: string, more: Record<string, unknown> = {}) =>
  runlet.run({ image: 'busybox', command: ['sh', '-c', script], ...more });
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');

async function warmNow(): Promise<number> {
  const { data } = (await (await runlet.call('GET', '/v1/workers')).json()) as { data: Worker[] };
  return data
    .flatMap(({ warm }) => warm)
    .filter(({ image }) => image.startsWith('busybox'))
    .reduce((sum, { count }) => sum + count, 0);
}

/** A run in a sandbox that was made ahead. The test's own time limit ends the wait for one. */
async function warmRun(script: string, more: Record<string, unknown> = {}): Promise<Run> {
  for (;;) {
    while ((await warmNow()) === 0) await sleep(100);
    const run = await sh(script, more);
    if (run.startedWarm) return run;
  }
}

holdsForRuns('container', () => runlet, { input: 1_000_000, output: 10_000_000 });

test('what it calls localhost, or by its own name, is itself', async () => {
  const get = (host: string) => `wget -qO- http://${host}:8080/`;
  const run = await sh(
    `echo mine > index.html; httpd -p 8080 -h /work; ${['localhost', '127.0.0.1', '"[::1]"', '$(hostname)'].map(get).join('; ')}; echo x > /etc/hosts`,
  );
  expect(run.stdout).toBe('mine\n'.repeat(4));
  expect(run.stderr).toMatch(/can't create \/etc\/hosts: Read-only file system/);
});

test('a megabyte of stdin and a mebibyte of random stdout arrive bit for bit', async () => {
  const data = randomBytes(1_000_000);
  const run = await sh('sha256sum >&2; head -c 1048576 /dev/urandom | tee /work/x; sha256sum < /work/x >&2', {
    stdin: data.toString('base64'),
    stdinEncoding: 'base64',
    limits: { outputBytes: 2_000_000 },
  });
  const stdout = Buffer.from(run.stdout, 'base64');
  const [ofInput, ofOutput] = Buffer.from(run.stderr, 'base64').toString().split('\n');
  expect(run.outputEncoding).toBe('base64');
  expect(ofInput).toBe(`${sha256(data)}  -`);
  expect(stdout.length).toBe(1_048_576);
  expect(ofOutput).toBe(`${sha256(stdout)}  -`);
});

test('one run for each input: each its own step, limits and output; a failure stops no other', async () => {
  const run = await sh('read x; echo "got $x $1"; case $x in slow) sleep 60;; bad) exit 4;; esac', {
    command: ['sh', '-c', 'read x; echo "got $x $1"; case $x in slow) sleep 60;; bad) exit 4;; esac', 'sh'],
    inputs: [{ stdin: 'one\n', args: ['a'] }, { stdin: 'bad\n' }, { stdin: 'slow\n' }, { stdin: 'last\n' }],
    limits: { timeoutMs: 1000 },
  });
  expect(
    run.steps.map(({ name, status, exitCode, limit, stdout }) => [name, status, exitCode, limit, stdout]),
  ).toEqual([
    ['run[0]', 'succeeded', 0, null, 'got one a\n'],
    ['run[1]', 'failed', 4, null, 'got bad \n'],
    ['run[2]', 'timed_out', 137, 'wall', 'got slow \n'],
    ['run[3]', 'succeeded', 0, null, 'got last \n'],
  ]);
  expect(run).toMatchObject({
    status: 'failed',
    exitCode: 4,
    stdout: 'got one a\ngot bad \ngot slow \ngot last \n',
    // The run was not ended by a limit.
    error: null,
  });
  for (const step of run.steps) expect(step.maxMemoryBytes).toBeGreaterThan(0);
});

test('a program finds what it can have, and no more', async () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ command: ['/no/such'] }, 'command_not_found'],
    [{ command: ['no-such'] }, 'command_not_found'],
    [{ command: ['/etc'] }, 'command_not_executable'],
    [
      {
        command: ['./script'],
        workdir: '/work',
        files: [{ path: 'script', content: 'no shebang', mode: '0755' }],
      },
      'start_failed',
    ],
    [{ command: ['true'], files: [{ path: 'x', content: 'y' }], workdir: '/etc' }, 'start_failed'],
  ];
  for (const [request, code] of cases) {
    const run = await runlet.run({ image: 'busybox', ...request });
    expect({ status: run.status, code: run.error?.code }, JSON.stringify(request)).toEqual({
      status: 'errored',
      code,
    });
  }
});

test('a sandbox made ahead is nobody’s but its run’s, and keeps that run’s limits', async () => {
  const first = await warmRun('echo mine > /tmp/mine; echo mine > /work/mine; ls /tmp /work; id -u');
  expect(first.stdout).toContain('mine');
  expect(first.usage.maxMemoryBytes).toBeGreaterThan(0);
  const second = await warmRun('ls /tmp /work; pwd; id -u; env | sort');
  expect(second.stdout).not.toContain('mine');
  const userIn = ({ stdout }: Run) => /^\d{5,}$/m.exec(stdout)?.[0] ?? 'of no number';
  expect(second.stdout).toContain(`/work\n${userIn(second)}\n`);
  expect(userIn(second)).not.toBe(userIn(first));
  const env = await warmRun('echo "$SECRET"', { env: { SECRET: 'only here' } });
  expect(env.stdout).toBe('only here\n');
  expect((await warmRun('echo "[$SECRET]"')).stdout).toBe('[]\n');
  const bomb = await warmRun('head -c 200000000 /dev/zero | tail', {
    limits: { memoryBytes: 64 * 1024 * 1024 },
  });
  expect(bomb).toMatchObject({
    status: 'out_of_memory',
    steps: [{ limit: 'memory' }],
    error: { code: 'memory_limit' },
  });
  const many = await warmRun('for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; wait', { limits: { pids: 4 } });
  expect(many.stderr).toMatch(/fork/);
});

test('a run whose warm sandbox has just gone starts in another', async () => {
  // By the first run the worker learns the image. By the second it learns that the image is used again.
  for (let i = 0; i < 2; i += 1) await sh('true');
  await warmRun('true');
  const [worker] = ((await (await runlet.call('GET', '/v1/workers')).json()) as { data: Worker[] }).data;
  for (let i = 0; i < 3; i += 1) {
    while ((await warmNow()) === 0) await sleep(100);
    // After this time the pool expects more runs like this one.
    await sleep(1_100);
    for (const one of await warmSandboxes(lab.dockerHost, { worker: worker?.id }))
      await endSandbox(lab.dockerHost, one);
    const run = await sh('echo there');
    expect(run).toMatchObject({ status: 'succeeded', attempt: 1, stdout: 'there\n' });
  }
});

test('nothing of the pool outlives its worker', async () => {
  const worker = await runlet.startWorker({ RUNLET_WORKER_NAME: 'short-lived', RUNLET_WARM_MAX: '2' });
  const ready = JSON.parse(worker.lines.find((line) => line.includes('"ready"')) ?? '{}') as {
    worker: string;
  };
  const ofWorker = async () =>
    (await sandboxesOn(lab.dockerHost)).filter((one) => one.worker === ready.worker);
  await Promise.all(Array.from({ length: 12 }, () => sh('sleep 0.5')));
  await worker.stop();
  expect(await ofWorker()).toEqual([]);
});
