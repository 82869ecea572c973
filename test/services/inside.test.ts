import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import { docker } from '../support/docker.ts';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { servicesOf } from './support.ts';

const lab = inject('lab');
let runlet: Runlet;
let api: ReturnType<typeof servicesOf>;
let added: string[] = [];

beforeAll(async () => {
  added = await ensureImages(lab, ['nginx:1.22']);
  runlet = await startRunlet(lab);
  api = servicesOf(runlet, lab.dockerHost);
}, 600_000);
afterAll(async () => {
  await api.removeAll();
  await runlet.stop();
  if (added.length > 0) await docker(lab.dockerHost, 'rmi', '--force', ...added);
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
  // What is said in addition counts.
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
  // The second would be below the first.
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
