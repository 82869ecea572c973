import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import type { Service } from '../../shared/contracts/service.ts';
import { docker } from '../support/docker.ts';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { servicesOf } from './support.ts';

const lab = inject('lab');
const node = 'node:24-bookworm-slim';
const redis = 'redis:7';
const traits = `${lab.registry}/runlet-test/traits:1`;
let runlet: Runlet;
let api: ReturnType<typeof servicesOf>;
let added: string[] = [];

beforeAll(async () => {
  added = await ensureImages(lab, ['nginx:1.22', node, redis]);
  runlet = await startRunlet(lab);
  api = servicesOf(runlet, lab.dockerHost);
}, 600_000);
afterAll(async () => {
  await api.removeAll('?volumes=true');
  await runlet.stop();
  if (added.length > 0) await docker(lab.dockerHost, 'rmi', '--force', ...added);
});

const sh = (script: string, more: Record<string, unknown> = {}) => ({
  image: 'busybox',
  command: ['sh', '-c', script],
  ...more,
});
const exec = async (name: string, command: string[]) =>
  (await api.act(name, 'exec', { command })) as unknown as Run;
const inspected = (service: Service, format: string) =>
  docker(lab.dockerHost, 'inspect', '-f', format, api.container(service));
const timed = async (act: () => Promise<unknown>) => {
  const began = performance.now();
  await act();
  return performance.now() - began;
};
const logOf = async (service: Service) => docker(lab.dockerHost, 'logs', api.container(service));
const plainServer = "require('node:http').createServer((_, answer) => answer.end('hello')).listen(3000)";
/** Takes no notice of SIGTERM. */
const stubborn = `process.on('SIGTERM', () => console.log('asked to end')); ${plainServer}`;

describe('PID 1', () => {
  test('is the init, and reaps what nobody else does', async () => {
    const service = await api.start(
      sh('for i in $(seq 60); do (sh -c "sleep 0.01 &" &) ; done; exec sleep 1000', {
        name: 'orphans',
        limits: { pids: 32 },
      }),
    );
    expect((await exec('orphans', ['cat', '/proc/1/comm'])).stdout).toBe('init\n');
    await expect
      .poll(
        async () =>
          (await exec('orphans', ['sh', '-c', 'grep -l "^State:.Z" /proc/[0-9]*/status | wc -l'])).stdout,
      )
      .toBe('0\n');
    expect((await exec('orphans', ['pidof', 'sleep'])).stdout).toMatch(/^\d+\n$/);
    await api.remove(service.id);
  });

  test('leaves its program’s streams, environment and folder alone', async () => {
    const service = await api.start(
      sh(
        'echo out; echo err >&2; echo "$OWN $(pwd) $0"; readlink /proc/self/fd/0; tr "\\0" " " < /proc/$$/cmdline; echo; sleep 1000',
        { workdir: '/tmp', env: { OWN: 'own' } },
      ),
    );
    await expect.poll(() => logOf(service)).toContain('sleep 1000');
    expect((await logOf(service)).split('\n').slice(0, 3)).toEqual(['out', 'own /tmp sh', '/dev/null']);
    // As programs of images write to their log from a job.
    await exec(service.id, ['sh', '-c', 'echo from a job > /proc/1/fd/1']);
    expect(await logOf(service)).toContain('from a job');
    await api.remove(service.id);
  });

  test('hands on what the image’s STOPSIGNAL says, and what `docker kill` sends', async () => {
    const service = await api.start({
      image: traits,
      command: [
        ...['sh', '-c'],
        'trap "echo got INT; exit 5" INT; trap "echo got USR1" USR1; trap "echo got HUP" HUP; trap "echo got RT" 37; echo up; while :; do sleep 0.05; done',
      ],
      restart: 'never',
    });
    await expect.poll(() => logOf(service)).toContain('up');
    for (const [signal, word] of [
      ['USR1', 'got USR1'],
      ['HUP', 'got HUP'],
      ['SIGRTMIN+3', 'got RT'],
    ] as const) {
      await docker(lab.dockerHost, 'kill', '-s', signal, api.container(service));
      await expect.poll(() => logOf(service)).toContain(word);
    }
    const tookMs = await timed(() => api.act(service.id, 'stop'));
    expect(tookMs).toBeLessThan(5_000);
    expect(await logOf(service)).toContain('got INT');
    expect(await inspected(service, '{{.State.ExitCode}}')).toBe('5');
    await api.remove(service.id);
  });

  test('keeps the program’s exit code, and ends what it left behind', async () => {
    const left = await api.start(sh('sleep 1000 & exit 7', { restart: 'never' }));
    expect(await api.until(left.id, ({ status }) => status === 'failed')).toMatchObject({ exitCode: 7 });
    const killed = await api.start(sh('kill -9 $$', { restart: 'never' }));
    expect(await api.until(killed.id, ({ status }) => status === 'failed')).toMatchObject({
      exitCode: 137,
    });
    for (const { id } of [left, killed]) await api.remove(id);
  });

  test('of one that the kernel kills for want of memory says so', async () => {
    const service = await api.start({
      image: 'busybox',
      command: ['tail', '/dev/zero'],
      restart: 'never',
      limits: { memoryBytes: 16 * 2 ** 20 },
    });
    const end = await api.until(service.id, ({ status }) => status === 'failed');
    expect(end).toMatchObject({ exitCode: 137, error: { code: 'service_crashed' } });
    expect(end.error?.detail).toContain('want of memory');
    await api.remove(service.id);
  });

  test('lets a plain Node server stop at once, and nginx by its SIGQUIT, and Redis as its user', async () => {
    for (const request of [
      { image: node, command: ['node', '-e', plainServer], port: 3000 },
      { image: 'nginx:1.22', port: 80 },
      { image: redis, tcpPorts: [6379] },
    ]) {
      const service = await api.start(request);
      expect(service).toMatchObject({ status: 'ready', error: null });
      expect(await timed(() => api.act(service.id, 'stop'))).toBeLessThan(5_000);
      expect((await api.act(service.id, 'start')).status).toBe('ready');
      await api.remove(service.id);
    }
  });

  test('that cannot find or execute the program fails it for good', async () => {
    for (const [more, code] of [
      [{ command: ['no-such-program'] }, 'command_not_found'],
      [{ command: ['./no/such'], workdir: '/tmp' }, 'command_not_found'],
      [{ command: ['/etc'] }, 'command_not_executable'],
      [{ command: ['/etc/passwd'] }, 'command_not_executable'],
    ] as const) {
      const service = await api.start({ image: 'busybox', port: 80, ...more });
      expect(service).toMatchObject({ status: 'failed', restarts: 0, error: { code } });
      expect(service.error?.detail).toContain(more.command[0]);
      await api.remove(service.id);
    }
    // A program that ends so itself is no such thing.
    const own = await api.start(sh('echo not me >&2; exit 127', { restart: 'never' }));
    expect(await api.until(own.id, ({ status }) => status === 'failed')).toMatchObject({
      exitCode: 127,
      error: { code: 'service_crashed' },
    });
    await api.remove(own.id);
  });

  test('is the program itself where that is asked for, or where it brings an init', async () => {
    const plain = await api.start(sh('exec sleep 1000', { init: false }));
    expect((await exec(plain.id, ['cat', '/proc/1/comm'])).stdout).toBe('sleep\n');
    expect(plain.request).toMatchObject({ init: false });
    await api.remove(plain.id);
    const own = await api.start({
      image: 'busybox',
      entrypoint: ['/sbin/init'],
      command: [],
      restart: 'never',
    });
    expect(await inspected(own, '{{.Config.Entrypoint}}')).toBe('[/sbin/init]');
    await docker(lab.dockerHost, 'kill', api.container(own));
    await api.remove(own.id);
  });
});

describe('one that is put to sleep', () => {
  const hello = async (service: Service) => (await (await api.fetch(service)).text()) === 'hello';

  test('sleeps within two seconds of what was asked, not before, and wakes at a call', async () => {
    const service = await api.start({
      name: 'sleeper',
      image: node,
      command: ['node', '-e', plainServer],
      port: 3000,
      keepAlive: 2_000,
    });
    for (let i = 0; i < 6; i += 1) {
      expect(await hello(service)).toBe(true);
      await sleep(900);
      expect((await api.read('sleeper')).status).toBe('ready');
    }
    expect(await hello(service)).toBe(true);
    const called = performance.now();
    await api.until('sleeper', ({ status }) => status === 'idle');
    const asleepMs = performance.now() - called;
    expect(asleepMs).toBeGreaterThan(2_000);
    expect(asleepMs).toBeLessThan(4_000);
    expect(await hello(service)).toBe(true);
    await api.remove('sleeper');
  });

  test('and takes no notice is woken as soon as it can be', async () => {
    const service = await api.start({
      name: 'stubborn',
      image: node,
      command: ['node', '-e', stubborn],
      port: 3000,
      keepAlive: 1_000,
    });
    await expect.poll(() => logOf(service), { timeout: 10_000 }).toContain('asked to end');
    const wokenMs = await timed(async () => expect(await hello(service)).toBe(true));
    // Two seconds of grace, and its start.
    expect(wokenMs).toBeLessThan(6_000);
    await api.remove('stubborn');
  });
});
