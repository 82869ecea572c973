import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Run } from '../../../shared/contracts/run.ts';
import type { Service } from '../../../shared/contracts/service.ts';
import { docker } from '../../support/docker.ts';
import { ensureImages } from '../../support/lab-images.ts';
import { type Runlet, startRunlet } from '../../support/runlet.ts';
import { servicesOf } from './support.ts';

const lab = inject('lab');
const node = 'node:24-bookworm-slim';
const redis = 'redis:7';
const traits = `${lab.registry}/runlet-test/traits:1`;
let runlet: Runlet;
let api: ReturnType<typeof servicesOf>;

beforeAll(async () => {
  await ensureImages(lab, ['nginx:1.22', node, redis]);
  runlet = await startRunlet(lab);
  api = servicesOf(runlet, lab.dockerHost);
}, 600_000);
afterAll(async () => {
  await api.removeAll('?volumes=true');
  await runlet.stop();
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
const plainServer =
  "require('node:http').createServer(({ url }, answer) => url === '/open' ? answer.writeHead(200).flushHeaders() : answer.end('hello')).listen(3000)";
/** Two seconds where the machine is not busy. */
const lateMs = 20_000;
/** A program that ignores SIGTERM. */
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
    await expect.poll(async () => (await exec('orphans', ['pidof', 'sleep'])).stdout).toMatch(/^\d+\n$/);
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
    // Programs of many images write to their log like this from a job.
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
    // Two seconds later it would be killed, and its exit code would say so.
    expect(tookMs).toBeLessThan(lateMs);
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
      const { id } = await api.start({ image: 'busybox', ...more });
      const service = await api.until(id, ({ status }) => status === 'failed');
      expect(service).toMatchObject({ restarts: 0, error: { code } });
      expect(service.error?.detail).toContain(more.command[0]);
      await api.remove(service.id);
    }
    // A program that ends with this exit code itself is a different case.
    const own = await api.start(sh('echo not me >&2; exit 127', { restart: 'never' }));
    expect(await api.until(own.id, ({ status }) => status === 'failed')).toMatchObject({
      exitCode: 127,
      error: { code: 'service_crashed' },
    });
    await api.remove(own.id);
  });

  test('is the program itself where that is asked for, or where it brings an init', async () => {
    const plain = await api.start(sh('exec sleep 1000', { init: false, restart: 'never' }));
    expect((await exec(plain.id, ['cat', '/proc/1/comm'])).stdout).toBe('sleep\n');
    expect(plain.request).toMatchObject({ init: false });
    await docker(lab.dockerHost, 'kill', api.container(plain));
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

describe.runIf(lab.gvisor)('under gVisor', () => {
  test('it is the same', async () => {
    const service = await api.start(
      sh(
        'for i in $(seq 40); do (sh -c "sleep 0.01 &" &) ; done; echo up; trap "echo got TERM; exit 5" TERM; while :; do sleep 0.05; done',
        {
          isolation: 'gvisor',
          restart: 'never',
        },
      ),
    );
    expect(service).toMatchObject({ status: 'ready', error: null });
    await expect.poll(() => logOf(service), { timeout: 60_000 }).toContain('up');
    await expect
      .poll(
        async () =>
          (await exec(service.id, ['sh', '-c', 'cat /proc/[0-9]*/stat | grep -c " Z "; cat /proc/1/comm']))
            .stdout,
        { timeout: 60_000 },
      )
      .toBe('0\ninit\n');
    expect(await timed(() => api.act(service.id, 'stop'))).toBeLessThan(8_000);
    expect(await logOf(service)).toContain('got TERM');
    expect(await inspected(service, '{{.State.ExitCode}}')).toBe('5');
    await api.remove(service.id);
    const none = await api.start({
      image: 'busybox',
      command: ['no-such'],
      port: 80,
      isolation: 'gvisor',
    });
    expect(none).toMatchObject({ status: 'failed', error: { code: 'command_not_found' } });
    await api.remove(none.id);
  });

  test('a file is the user’s where they can write', async () => {
    const service = await api.start({
      image: traits,
      isolation: 'gvisor',
      command: ['sh', '-c', 'trap "exit 0" INT; while :; do sleep 0.1; done'],
      files: [{ path: 'mine.txt', content: 'x' }],
      workdir: '/data',
    });
    const put = await fetch(`${runlet.url}/v1/services/${service.id}/files/data/later.txt`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${runlet.apiKey}` },
      body: 'x',
    });
    expect(put.status).toBe(204);
    const owners = await exec(service.id, ['stat', '-c', '%u:%g', '/data/mine.txt', '/data/later.txt']);
    expect(owners.stdout).toBe('1234:1234\n1234:1234\n');
    await api.remove(service.id);
  });
});

// These tests mostly sleep and wait, so they run at the same time.
describe.concurrent('one that is put to sleep', () => {
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
    expect(asleepMs).toBeLessThan(lateMs);
    expect(await hello(service)).toBe(true);
    // An open response keeps the service awake. The end of the response is the last use of the service.
    const open = await api.fetch(service, 'open');
    await sleep(4_500);
    expect((await api.read('sleeper')).status).toBe('ready');
    await open.body?.cancel();
    const closed = performance.now();
    await api.until('sleeper', ({ status }) => status === 'idle');
    const closedMs = performance.now() - closed;
    expect(closedMs).toBeGreaterThan(1_900);
    expect(closedMs).toBeLessThan(lateMs);
    // A command that runs in the service keeps it awake too, but a detached one does not.
    await api.act('sleeper', 'exec', { command: ['sleep', '1000'], detached: true });
    await exec('sleeper', ['sleep', '4']);
    const ended = performance.now();
    expect((await api.read('sleeper')).status).toBe('ready');
    await api.until('sleeper', ({ status }) => status === 'idle');
    const endedMs = performance.now() - ended;
    expect(endedMs).toBeGreaterThan(1_500);
    expect(endedMs).toBeLessThan(lateMs);
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
    await expect.poll(() => logOf(service), { timeout: 60_000 }).toContain('asked to end');
    // After two seconds of grace time, and the start.
    expect(await hello(service)).toBe(true);
    // It is not started twice, and its record shows nothing of its sleep.
    expect(await api.read('stubborn')).toMatchObject({ status: 'ready', restarts: 0, error: null });
    await docker(lab.dockerHost, 'kill', api.container(service));
    await api.remove('stubborn');
  });

  test('answers every call, while it is put to sleep over and over', async () => {
    const service = await api.start({
      name: 'dozer',
      image: node,
      command: ['node', '-e', plainServer],
      port: 3000,
      keepAlive: 1_000,
    });
    // Calls come around the moment when it becomes idle, and while it is being stopped.
    for (const waitMs of [1_250, 1_300, 1_350, 1_380, 1_400, 1_420, 1_440, 1_460, 1_500, 1_600, 1_800]) {
      const answer = await api.fetch(service);
      expect([waitMs, answer.status, await answer.text()]).toEqual([waitMs, 200, 'hello']);
      await sleep(waitMs);
    }
    await api.remove('dozer');
  });
});
