import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import type { Worker } from '../../shared/contracts/worker.ts';
import { docker, warmContainers } from '../support/docker.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { webSocket } from '../support/web-socket.ts';

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

/** A run in a sandbox that was made ahead; the test's own time limit is the bound. */
async function warmRun(script: string, more: Record<string, unknown> = {}): Promise<Run> {
  for (;;) {
    while ((await warmNow()) === 0) await new Promise((resolve) => setTimeout(resolve, 100));
    const run = await sh(script, more);
    if (run.startedWarm) return run;
  }
}

test('files go in and artifacts come out, bit for bit', async () => {
  const data = randomBytes(1_000_000);
  const run = await sh(
    'sha256sum < deep/er/in.bin; stat -c %a deep/er/in.bin run.sh; ./run.sh; mkdir -p out/a; head -c 10000000 /dev/urandom > out/a/big; sha256sum < out/a/big; : > out/empty; ln -s /etc/passwd out/link',
    {
      workdir: '/work',
      files: [
        { path: 'deep/er/in.bin', content: data.toString('base64'), encoding: 'base64', mode: '0400' },
        { path: 'run.sh', content: '#!/bin/sh\necho "I am $0"\n', mode: '0755' },
      ],
      artifacts: ['out/**'],
    },
  );
  const [input, modeOfInput, modeOfScript, said, output] = run.stdout.split('\n');
  expect(run.status, run.stderr).toBe('succeeded');
  expect([input, modeOfInput, modeOfScript, said]).toEqual([
    `${sha256(data)}  -`,
    '400',
    '755',
    'I am ./run.sh',
  ]);
  expect(run.artifacts.map(({ path, sizeBytes }) => [path, sizeBytes])).toEqual([
    ['out/a/big', 10_000_000],
    ['out/empty', 0],
  ]);
  const answer = await runlet.call('GET', `/v1/runs/${run.id}/artifacts/out/a/big`);
  const bytes = Buffer.from(await answer.arrayBuffer());
  expect(`${sha256(bytes)}  -`).toBe(output);
  expect(run.artifacts[0]?.sha256).toBe(sha256(bytes));
  expect((await runlet.call('GET', `/v1/runs/${run.id}/artifacts/out/link`)).status).toBe(404);
});

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
    // What decided was no limit.
    error: null,
  });
  for (const step of run.steps) expect(step.maxMemoryBytes).toBeGreaterThan(0);
});

test('what a step leaves behind dies with it', async () => {
  const daemon = '(setsid sh -c "while :; do sleep 1; echo ghost >> /tmp/ghost; done" &) ; sleep 0.2';
  const run = await sh('', {
    command: [
      'sh',
      '-c',
      `if [ "$0" = first ]; then ${daemon}; else sleep 2; ps -o comm; cat /tmp/ghost; fi; echo ok`,
    ],
    inputs: [{ args: ['first'] }, { args: ['second'] }],
  });
  expect(run.steps[1]?.stdout).toContain('ok\n');
  expect(run.steps[1]?.stdout.split('\n')).toEqual(['COMMAND', 'init', 'sh', 'ps', 'ok', '']);
});

test('a limit on CPU time counts all processes, and is not the wall clock', async () => {
  const spin = 'while :; do :; done';
  const run = await sh(`(${spin}) & (${spin}) & wait`, {
    limits: { cpuTimeMs: 500, timeoutMs: 30_000, cpus: 2 },
  });
  expect(run).toMatchObject({
    status: 'timed_out',
    steps: [{ limit: 'cpu' }],
    error: { code: 'cpu_limit', detail: expect.stringContaining('limits.cpuTimeMs (500 ms') },
  });
  expect(run.usage.cpuMs).toBeGreaterThanOrEqual(400);
  expect(run.timings.runMs).toBeLessThan(20_000);
  expect(await sh('sleep 1', { limits: { cpuTimeMs: 500 } })).toMatchObject({ status: 'succeeded' });
});

test('forged frames, a killed pid 1 and closed descriptors change nothing but the program’s own output', async () => {
  const forged = Buffer.concat([
    Buffer.from([0x78, 37, 0, 0, 0]),
    Buffer.alloc(37),
    Buffer.from([0x6f, 2, 0, 0, 0, 0x68, 0x69]),
  ]);
  const run = await sh(
    'cat forged; cat forged >&2; for fd in 0 1 2; do cat forged > /proc/1/fd/$fd && echo reached; done; kill -9 1; kill -15 1; echo 0 > /proc/1/oom_score_adj; cat /proc/1/environ; exec 0<&- 2>&-; echo end; exit 7',
    { workdir: '/work', files: [{ path: 'forged', content: forged.toString('base64'), encoding: 'base64' }] },
  );
  expect(run).toMatchObject({ status: 'failed', exitCode: 7, outputEncoding: 'utf8' });
  expect(run.stdout).toBe(`${forged.toString()}end\n`);
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
  // The first tells of the image, the second that it is wanted.
  for (let i = 0; i < 2; i += 1) await sh('true');
  await warmRun('true');
  const [worker] = ((await (await runlet.call('GET', '/v1/workers')).json()) as { data: Worker[] }).data;
  for (let i = 0; i < 3; i += 1) {
    while ((await warmNow()) === 0) await new Promise((resolve) => setTimeout(resolve, 100));
    // By then one like it is looked out for.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const warmOnes = await warmContainers(lab.dockerHost, `label=dev.runlet.worker=${worker?.id}`);
    await docker(lab.dockerHost, 'rm', '-f', ...warmOnes);
    const run = await sh('echo there');
    expect(run).toMatchObject({ status: 'succeeded', attempt: 1, stdout: 'there\n' });
  }
});

test('an interactive run reads what attached clients send, on pipes and on a terminal', async () => {
  const created = (await (
    await runlet.call('POST', '/v1/runs', {
      image: 'busybox',
      interactive: true,
      tty: true,
      command: ['sh', '-c', 'stty size; read line; echo "read $line"; stty size; exit 5'],
    })
  ).json()) as Run;
  const socket = webSocket(runlet, `/v1/runs/${created.id}/attach`);
  let seen = '';
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as { type: string; data?: string };
    if (message.type === 'stdout') seen += message.data;
    if (!seen.includes('24 80') || seen.includes('(sent)')) return;
    seen += '(sent)';
    socket.send(JSON.stringify({ type: 'resize', cols: 100, rows: 30 }));
    socket.send(JSON.stringify({ type: 'stdin', data: 'hello\n' }));
  });
  const ended = await runlet.ended(created.id);
  socket.close();
  expect(ended).toMatchObject({ status: 'failed', exitCode: 5 });
  expect(ended.stdout.replaceAll('\r', '')).toContain('read hello\n30 100\n');
});

test('nothing of the pool outlives its worker', async () => {
  const worker = await runlet.startWorker({ RUNLET_WORKER_NAME: 'short-lived', RUNLET_WARM_MAX: '2' });
  const ready = JSON.parse(worker.lines.find((line) => line.includes('"ready"')) ?? '{}') as {
    worker: string;
  };
  const ofWorker = () =>
    docker(lab.dockerHost, 'ps', '-aq', '--filter', `label=dev.runlet.worker=${ready.worker}`);
  await Promise.all(Array.from({ length: 12 }, () => sh('sleep 0.5')));
  await worker.stop();
  expect(await ofWorker()).toBe('');
});
