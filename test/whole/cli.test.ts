import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import type { Service } from '../../shared/contracts/service.ts';
import { docker } from '../support/docker.ts';
import { startHoldingRegistry } from '../support/holding-registry.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { gone } from '../support/sandboxes.ts';

const lab = inject('lab');
const wrapper = new URL('../../infra/bin/runlet', import.meta.url).pathname;
let runlet: Runlet;

beforeAll(async () => {
  runlet = await startRunlet(lab);
});
afterAll(() => runlet.stop());

type Ended = { code: number | null; stdout: string; stderr: string };

function start(...args: string[]): {
  child: ChildProcess;
  ended: Promise<Ended>;
  saw: (text: string) => Promise<void>;
} {
  const child = spawn(wrapper, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, RUNLET_URL: runlet.url, RUNLET_API_KEY: runlet.apiKey, NO_COLOR: '1' },
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (data: Buffer) => {
    stdout += data.toString('utf8');
  });
  child.stderr?.on('data', (data: Buffer) => {
    stderr += data.toString('utf8');
  });
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  const saw = async (text: string) => {
    while (!stdout.includes(text)) await sleep(20);
  };
  return { child, ended, saw };
}
const cli = (...args: string[]) => start(...args).ended;

test('output comes while the program runs; Ctrl-C cancels it, and nothing is left', async () => {
  const { child, ended, saw } = start('run', 'busybox', '--', 'sh', '-c', 'echo first; sleep 300');
  await saw('first');
  child.kill('SIGINT');
  expect((await ended).code).toBe(130);
  const { data } = (await (await runlet.call('GET', '/v1/runs?limit=1')).json()) as { data: Run[] };
  expect(data[0]).toMatchObject({ status: 'cancelled' });
  await gone(lab.dockerHost, [data[0]?.id ?? '']);
});

test('detach, ps, logs -f, show, rm', async () => {
  const id = (
    await cli(
      ...['run', '--detach', '--timeout', '2m', 'busybox', '--'],
      ...['sh', '-c', 'for i in 1 2 3; do echo $i; sleep 4; done'],
    )
  ).stdout.trim();
  expect(id).toMatch(/^run_[0-9a-f]{32}$/);
  expect((await cli('ps', '--json')).stdout).toContain(id);
  expect((await cli('logs', '-f', id)).stdout).toBe('1\n2\n3\n');
  expect(JSON.parse((await cli('show', '--json', id)).stdout)).toMatchObject({ id, status: 'succeeded' });
  expect((await cli('rm', id)).code).toBe(0);
  expect((await runlet.call('GET', `/v1/runs/${id}`)).status).toBe(404);
});

test('an image that is not there: exit code 125 and a sentence that helps', async () => {
  const ended = await cli('run', `${lab.registry}/no/such:1`);
  expect(ended.code).toBe(125);
  expect(ended.stdout).toBe('');
  expect(ended.stderr).toContain('Check the spelling');
});

test('pull, images, rmi', async () => {
  const reference = `${lab.registry}/runlet-test/layers:1`;
  await docker(lab.dockerHost, 'rmi', '-f', reference).catch(() => '');
  expect((await cli('pull', reference)).code).toBe(0);
  while (!(await cli('images', '--json')).stdout.includes(reference)) {
    await sleep(200);
  }
  expect((await cli('rmi', reference)).code).toBe(0);
  expect(await docker(lab.dockerHost, 'images', '-q', reference)).toBe('');
});

test('a service that waits for its image tells how far the pull is, and `up` shows it', async () => {
  const registry = await startHoldingRegistry(lab.registry);
  const reference = `127.0.0.1:${registry.port}/runlet-test/layers:1`;
  try {
    const up = cli('up', reference, '--name', 'pulled', '--restart', 'never', '--', '/bin/true');
    const read = async () =>
      (await (await runlet.call('GET', '/v1/services/pulled')).json()) as Partial<Service>;
    for (;;) {
      const { status, pull } = await read();
      if (pull?.layers.some(({ currentBytes }) => currentBytes > 0)) {
        expect(status).toBe('starting');
        expect(pull).toMatchObject({ reference, status: 'pulling' });
        break;
      }
    }
    registry.release();
    const { stderr } = await up;
    expect(stderr).toMatch(RegExp(`^Pulling ${reference}$`, 'm'));
    expect(stderr).toMatch(RegExp(`^Pulled ${reference}$`, 'm'));
    expect((await read()).pull).toBeNull();
  } finally {
    await registry.stop();
    await cli('rm', 'pulled');
    await docker(lab.dockerHost, 'rmi', '-f', reference).catch(() => '');
  }
});

test('options that Node has, too, are the CLI’s', async () => {
  const ended = await cli('run', '--env-file', '/no/such/file', 'busybox', 'true');
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain('/no/such/file');
});

test('workers and doctor say that all is well', async () => {
  expect(JSON.parse((await cli('workers', '--json')).stdout)).toMatchObject({ data: [{ status: 'ready' }] });
  const doctor = await cli('doctor');
  expect(doctor.stdout).not.toMatch(/^failed/m);
  expect(doctor.code).toBe(0);
});

test('a drained worker finishes what it has and takes nothing new', async () => {
  const id = (await cli('run', '--detach', 'busybox', '--', 'sh', '-c', 'sleep 2; echo done')).stdout.trim();
  while (((await (await runlet.call('GET', `/v1/runs/${id}`)).json()) as Run).status !== 'running') {
    await sleep(20);
  }
  const { data } = JSON.parse((await cli('workers', '--json')).stdout) as { data: { id: string }[] };
  expect(await cli('drain', data[0]?.id ?? '')).toMatchObject({ code: 0 });
  expect(await runlet.ended(id)).toMatchObject({ status: 'succeeded', stdout: 'done\n' });
  // From then on it takes none.
  await expect
    .poll(async () => JSON.parse((await cli('workers', '--json')).stdout))
    .toMatchObject({ data: [{ status: 'draining' }] });
  const later = (await (
    await runlet.call('POST', '/v1/runs', { image: 'busybox', command: ['true'] })
  ).json()) as Run;
  const second = await runlet.startWorker({ RUNLET_WORKER_NAME: 'second' });
  expect(await runlet.workerName((await runlet.ended(later.id)).worker)).toBe('second');
  expect(second.lines.join('\n')).not.toContain('"level":50');
});
