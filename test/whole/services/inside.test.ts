import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Run } from '../../../shared/contracts/run.ts';
import type { Service, ServiceExec } from '../../../shared/contracts/service.ts';
import { docker } from '../../support/docker.ts';
import { ensureImages } from '../../support/lab-images.ts';
import { type Runlet, startRunlet } from '../../support/runlet.ts';
import { servicesOf } from './support.ts';

const lab = inject('lab');
let runlet: Runlet;
let api: ReturnType<typeof servicesOf>;

beforeAll(async () => {
  await ensureImages(lab, ['nginx:1.22']);
  runlet = await startRunlet(lab);
  api = servicesOf(runlet, lab.dockerHost);
}, 600_000);
afterAll(async () => {
  await api.removeAll();
  await runlet.stop();
});

const idle = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'];
const look = ['sh', '-c', 'echo "$HOME $OWN $MORE $(hostname)"; pwd'];
const exec = async (name: string, request: Record<string, unknown>) =>
  (await api.act(name, 'exec', request)) as unknown as Run;

test('what runs in a service has its environment, home and work folder, as its own program has', async () => {
  await api.start({ name: 'plain', image: 'nginx:1.22', port: 80, env: { OWN: 'own' } });
  expect(await exec('plain', { command: look, env: { MORE: 'more' } })).toMatchObject({
    status: 'succeeded',
    stdout: '/root own more plain\n/\n',
  });
  // Values in the request take effect over those of the service.
  expect(
    await exec('plain', { command: look, env: { OWN: 'other', HOME: '/tmp' }, workdir: '/etc' }),
  ).toMatchObject({ stdout: '/tmp other  plain\n/etc\n' });
  expect(await exec('plain', { command: ['ls', '/work'] })).toMatchObject({ status: 'failed' });
  await api.remove('plain');
});

test('what runs in a service writes UTF-8, unless image, service or request say otherwise', async () => {
  const locale = { command: ['sh', '-c', 'echo "$LANG,$LC_ALL"'] };
  await api.start({ name: 'plain', image: 'nginx:1.22', port: 80 });
  expect((await exec('plain', locale)).stdout).toBe('C.UTF-8,\n');
  expect((await exec('plain', { ...locale, env: { LC_ALL: 'C' } })).stdout).toBe(',C\n');
  await api.remove('plain');
  await api.start({ name: 'said', image: 'nginx:1.22', port: 80, env: { LC_ALL: 'POSIX' } });
  expect((await exec('said', locale)).stdout).toBe(',POSIX\n');
  await api.remove('said');
});

test('a service with files starts where they are, and so does what runs in it', async () => {
  const files = [{ path: 'deep/start.sh', content: 'echo "began in $(pwd)"; exec "$@"' }];
  const service = await api.start({
    name: 'filed',
    image: 'busybox',
    files,
    command: ['sh', 'deep/start.sh', ...idle],
  });
  expect(service.status).toBe('ready');
  expect(await exec('filed', { command: ['sh', '-c', 'pwd; ls deep'] })).toMatchObject({
    stdout: '/work\nstart.sh\n',
  });
  expect(await docker(lab.dockerHost, 'logs', api.container(service))).toBe('began in /work');
  await api.remove('filed');
  expect(await api.left(service)).toEqual([]);
});

test('what a worker left that was killed while it brought the files is in nobody’s way', async () => {
  const files = [{ path: 'a', content: 'a' }];
  const service = await api.start({ name: 'again', image: 'busybox', files, command: idle });
  const name = api.container(service);
  const labels = JSON.parse(
    await docker(lab.dockerHost, 'inspect', '-f', '{{json .Config.Labels}}', name),
  ) as Record<string, string>;
  const older = Object.entries({ ...labels, 'dev.runlet.generation': '0' }).flatMap(([label, value]) => [
    '--label',
    `${label}=${value}`,
  ]);
  await docker(lab.dockerHost, 'create', '--name', `${name}-files`, ...older, 'busybox', 'true');
  await docker(lab.dockerHost, 'rm', '-f', name);
  await api.until('again', ({ status }) => status !== 'ready');
  const back = await api.until('again', ({ status }) => status === 'ready' || status === 'failed');
  expect(back).toMatchObject({ status: 'ready', error: null });
  await api.remove('again');
  expect(await api.left(service)).toEqual([]);
});

test('a file that cannot be written is told: in the request, and by PUT', async () => {
  // The second file would be below the first, which is not a folder.
  const service = await api.start({
    name: 'clash',
    image: 'nginx:1.22',
    port: 80,
    workdir: '/etc/nginx',
    files: [{ path: 'nginx.conf/below', content: 'x' }],
  });
  expect(service).toMatchObject({ status: 'failed' });
  expect(service.error?.detail).toContain('nginx.conf');
  await api.remove('clash');
  await api.start({ name: 'put', image: 'nginx:1.22', port: 80 });
  const headers = { authorization: `Bearer ${runlet.apiKey}` };
  const put = (path: string) =>
    fetch(`${runlet.url}/v1/services/put/files/${path}`, { method: 'PUT', headers, body: 'x' });
  const refused = await put('etc/nginx');
  expect([refused.status, ((await refused.json()) as { detail: string }).detail]).toMatchObject([
    404,
    expect.stringContaining('/etc/nginx'),
  ]);
  expect((await put('etc/nginx/new.conf')).status).toBe(204);
  expect(await exec('put', { command: ['cat', '/etc/nginx/new.conf'] })).toMatchObject({ stdout: 'x' });
  await api.remove('put');
});

describe('a detached program', () => {
  type Page = { data: ServiceExec[] };
  const list = async (name: string) => (await api.call<Page>('GET', `/v1/services/${name}/exec`)).data;

  test('outlives its call and its worker, is listed with its end, and ends with the service', async () => {
    await api.start({ name: 'home', image: 'nginx:1.22', port: 80, env: { OWN: 'own' } });
    const lasting = await exec('home', {
      command: ['sh', '-c', 'echo "$OWN $MORE $(pwd)" > /proc/1/fd/1; exec sleep 1234'],
      env: { MORE: 'more' },
      workdir: '/etc',
      detached: true,
    });
    expect(lasting).toMatchObject({ status: 'succeeded', exitCode: null, error: null });
    const brief = await exec('home', { command: ['sh', '-c', 'exit 9'], detached: true });
    const attached = await runlet.call('POST', '/v1/services/home/exec', { command: ['sleep', '1'] });
    const { id } = (await attached.json()) as Run;
    await expect.poll(async () => (await list('home'))[1]?.status).toBe('exited');
    await expect.poll(async () => (await list('home')).length).toBe(3);
    expect(await list('home')).toMatchObject([
      { id, command: ['sleep', '1'], detached: false, status: 'running' },
      { id: brief.id, command: ['sh', '-c', 'exit 9'], detached: true, status: 'exited', exitCode: 9 },
      { id: lasting.id, detached: true, status: 'running', exitCode: null, pid: expect.any(Number) },
    ]);
    await runlet.ended(id);
    const [, known] = await list('home');
    const ids = (await exec('home', { command: ['sh', '-c', `cat /proc/${known?.pid}/cmdline`] })).stdout;
    expect(ids).toBe('sleep\u00001234\u0000');
    const service = await api.read('home');
    expect(await docker(lab.dockerHost, 'logs', api.container(service))).toContain('own more /etc');

    await runlet.workers.at(-1)?.stop('SIGKILL');
    await runlet.startWorker({ RUNLET_WORKER_NAME: 'heir' });
    await api.until('home', ({ worker }) => worker !== service.worker);
    expect(await list('home')).toMatchObject([
      { id: brief.id, status: 'exited', exitCode: 9 },
      { id: lasting.id, status: 'running' },
    ]);
    await api.act('home', 'stop');
    expect(await list('home')).toMatchObject([
      { id: brief.id, status: 'exited' },
      // Whether the engine still had its exit code when it was asked.
      { id: lasting.id, status: 'exited', exitCode: expect.toBeOneOf([null, 137]) },
    ]);
    await api.act('home', 'start');
    expect((await exec('home', { command: ['pidof', 'sleep'] })).stdout).toBe('');
    await api.remove('home');
    expect((await runlet.call('GET', '/v1/services/home/exec')).status).toBe(404);
  });

  test('that cannot be executed is told', async () => {
    await api.start({ name: 'bare', image: 'nginx:1.22', port: 80 });
    for (const [request, code] of [
      [{ command: ['no-such-program'] }, 'command_not_found'],
      [{ command: ['/no/such'] }, 'command_not_found'],
      [{ command: ['/etc/passwd'] }, 'command_not_executable'],
      [{ command: ['true'], workdir: '/no/such' }, 'start_failed'],
    ] as const) {
      const none = await exec('bare', { ...request, detached: true });
      expect(none).toMatchObject({ status: 'errored', error: { code } });
    }
    expect(await list('bare')).toEqual([]);
    await api.remove('bare');
  });

  test('is nobody’s to talk to, and has no limits', async () => {
    await api.start({ name: 'refusing', image: 'nginx:1.22', port: 80 });
    for (const [more, path] of [
      [{ interactive: true }, 'interactive'],
      [{ interactive: true, tty: true }, 'tty'],
      [{ stdin: 'x' }, 'stdin'],
      [{ limits: { timeoutMs: 1_000 } }, 'limits'],
    ] as const) {
      const refused = await runlet.call('POST', '/v1/services/refusing/exec', {
        command: ['true'],
        detached: true,
        ...more,
      });
      expect(refused.status).toBe(400);
      const { errors } = (await refused.json()) as { errors: { path: string }[] };
      expect(errors.map((one) => one.path)).toContain(path);
    }
    await api.remove('refusing');
  });
});

test('a terminal has its size from the first line on', async () => {
  await api.start({ name: 'screen', image: 'nginx:1.22', port: 80 });
  const size = (more: object) =>
    exec('screen', { command: ['stty', 'size'], interactive: true, tty: true, ...more });
  expect((await size({ cols: 132, rows: 50 })).stdout).toBe('50 132\r\n');
  expect((await size({})).stdout).toBe('24 80\r\n');
  for (const [request, path] of [
    [{ cols: 132, tty: true, interactive: true }, 'rows'],
    [{ cols: 132, rows: 50 }, 'cols'],
    [{ cols: 0, rows: 50, tty: true, interactive: true }, 'cols'],
  ] as const) {
    const refused = await runlet.call('POST', '/v1/services/screen/exec', { command: ['true'], ...request });
    const { errors } = (await refused.json()) as { errors: { path: string }[] };
    expect([refused.status, errors.map((one) => one.path)]).toEqual([400, expect.arrayContaining([path])]);
  }
  await api.remove('screen');
});

describe('files', () => {
  const files = [
    { path: 'deep/er/run.sh', content: 'echo hello', mode: '0750' },
    { path: 'plain.txt', content: 'x' },
  ];
  const owners = async (name: string, folder: string, ...paths: string[]) => {
    const run = await exec(name, { command: ['stat', '-c', '%U %u:%g %a', ...paths], workdir: folder });
    return run.stdout.trim().split('\n');
  };
  const put = (name: string, path: string) =>
    fetch(`${runlet.url}/v1/services/${name}/files/${path}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${runlet.apiKey}` },
      body: 'x',
    });

  test('belong to the image’s user, whoever’s the folder is', async () => {
    const image = `${lab.registry}/runlet-test/traits:1`;
    // In that image /srv belongs to root. /data belongs to the user and has a file.
    for (const [name, workdir] of [
      ['in-srv', '/srv'],
      ['in-data', '/data'],
      ['in-new', '/new/folder'],
    ] as const) {
      const given = [...files, { path: 'seed.txt', content: 'mine' }];
      const service = await api.start({ name, image, files: given, workdir, command: idle });
      expect(service).toMatchObject({ status: 'ready', error: null });
      expect(
        await owners(name, workdir, 'deep', 'deep/er', 'deep/er/run.sh', 'plain.txt', 'seed.txt'),
      ).toEqual([
        'UNKNOWN 1234:1234 755',
        'UNKNOWN 1234:1234 755',
        'UNKNOWN 1234:1234 750',
        'UNKNOWN 1234:1234 644',
        'UNKNOWN 1234:1234 644',
      ]);
      expect((await put(name, `${workdir.slice(1)}/deep/put/later.txt`)).status).toBe(204);
      expect(await owners(name, workdir, 'deep/put', 'deep/put/later.txt')).toEqual([
        'UNKNOWN 1234:1234 755',
        'UNKNOWN 1234:1234 644',
      ]);
      // The folder itself may belong to root.
      expect((await put(name, `${workdir.slice(1)}/beside.txt`)).status).toBe(204);
      expect(await owners(name, workdir, 'beside.txt')).toEqual(['UNKNOWN 1234:1234 644']);
      await api.remove(name);
    }
  });

  test('of an image of root’s are root’s, and of a named user theirs', async () => {
    await api.start({ name: 'rooted', image: 'nginx:1.22', port: 80, files });
    expect(await owners('rooted', '/work', '.', 'deep/er/run.sh')).toEqual(['root 0:0 755', 'root 0:0 750']);
    await api.remove('rooted');
    for (const [tag, user, expected] of [
      ['name', 'www-data', 'www-data 33:33'],
      ['both', 'www-data:games', 'www-data 33:60'],
      ['number', '33', 'www-data 33:33'],
      ['stranger', '4321', 'UNKNOWN 4321:0'],
    ] as const) {
      const image = `runlet-test/user-${tag}`;
      await docker(lab.dockerHost, 'create', '--name', `user-${tag}`, 'nginx:1.22');
      await docker(lab.dockerHost, 'commit', '--change', `USER ${user}`, `user-${tag}`, image);
      await docker(lab.dockerHost, 'rm', `user-${tag}`);
      const service = await api.start({ name: tag, image, files, command: ['sleep', '1000'] });
      expect(service).toMatchObject({ status: 'ready', error: null });
      expect(await owners(tag, '/work', '.', 'deep/er', 'deep/er/run.sh')).toEqual([
        `${expected} 755`,
        `${expected} 755`,
        `${expected} 750`,
      ]);
      await api.remove(tag);
      await docker(lab.dockerHost, 'rmi', '--force', image);
    }
  });
});

describe('a web server', () => {
  let service: Service;
  beforeAll(async () => {
    service = await api.start({ name: 'box', image: 'nginx:1.22', port: 80 });
  });
  afterAll(() => api.remove('box'));

  test('a program runs, with the answer of a run', async () => {
    const run = (await api.act('box', 'exec', {
      command: ['sh', '-c', 'cat; echo err >&2; exit 3'],
      stdin: 'in\n',
    })) as unknown as Run;
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, stdout: 'in\n', stderr: 'err\n' });
    expect(await api.call('GET', `/v1/runs/${run.id}`)).toMatchObject({ id: run.id, stdout: 'in\n' });
    const slow = (await api.act('box', 'exec', {
      command: ['sleep', '60'],
      limits: { timeoutMs: 500 },
    })) as unknown as Run;
    expect(slow).toMatchObject({
      status: 'timed_out',
      steps: [{ limit: 'wall' }],
      error: { code: 'wall_limit', detail: expect.stringContaining('limits.timeoutMs (500 ms)') },
    });
    // The processes that it left behind are gone, but the service still runs.
    await api.act('box', 'exec', { command: ['sh', '-c', '(setsid sleep 1234 &) ; sleep 0.2'] });
    const top = await docker(lab.dockerHost, 'top', api.container(service), '-eo', 'pid,args');
    expect(top).toContain('nginx: worker');
    expect(top).not.toContain('1234');
    expect((await api.fetch(service)).status).toBe(200);
  });

  test('files come and go, bit for bit', async () => {
    const data = randomBytes(300_000);
    const path = `/v1/services/box/files/srv/deep/data.bin`;
    const headers = { authorization: `Bearer ${runlet.apiKey}` };
    const put = await fetch(`${runlet.url}${path}`, { method: 'PUT', headers, body: data });
    expect([put.status, await put.text()]).toEqual([204, '']);
    const got = await fetch(`${runlet.url}${path}`, { headers });
    expect(
      createHash('sha256')
        .update(Buffer.from(await got.arrayBuffer()))
        .digest('hex'),
    ).toBe(createHash('sha256').update(data).digest('hex'));
    expect((await fetch(`${runlet.url}${path}`, { method: 'DELETE', headers })).status).toBe(204);
    expect((await fetch(`${runlet.url}${path}`, { headers })).status).toBe(404);
    expect((await fetch(`${runlet.url}/v1/services/box/files/../etc`, { headers })).status).toBe(404);
  });
});
