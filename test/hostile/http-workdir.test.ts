// Before any schema is made: the gateway's document needs what it adds.
import '@hono/zod-openapi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sandboxSpecFor } from '../../services/worker/sandbox/spec.ts';
import { serviceWorkdir } from '../../services/worker/services/spec.ts';
import { kernelFolder } from '../../shared/kernel-folders.ts';
import { pathsOf, problemOf, startGateway, type TestGateway } from '../gateway/support.ts';

// CVE-2024-21626 and its kin: a program that starts below /proc may start in what the runtime has open.

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway();
});
afterAll(() => on.stop());

const bad = [
  '/proc',
  '/proc/',
  '/proc/self/fd/7',
  '/proc/thread-self/fd/8/../../..',
  '//proc/self/fd/7',
  '///proc',
  '/./proc/1/root',
  '/work/../proc/self/fd/7',
  '/proc/./self/cwd',
  '/sys',
  '/sys/fs/cgroup',
  '//sys/.',
  '/dev',
  '/dev/fd/7',
  '/dev/shm',
  '/./dev//stdin',
];
const image = { image: 'busybox' };

describe.each(bad)('%s', (path) => {
  test('is no folder to start in, or to mount on', async () => {
    const refused = async (at: string, body: unknown, field: string) =>
      expect(pathsOf(await problemOf(await on.call('POST', at, body), 400, 'validation_failed'))).toEqual([
        field,
      ]);
    await refused('/v1/runs', { ...image, workdir: path }, 'workdir');
    await refused('/v1/runs', { language: 'python', code: 'x', workdir: path }, 'workdir');
    await refused('/v1/services', { ...image, workdir: path }, 'workdir');
    await refused('/v1/services', { ...image, volumes: [{ name: 'a', path }] }, 'volumes[0].path');
    const batch = await on.call('POST', '/v1/runs/batch', { runs: [{ ...image, workdir: path }] });
    const { results } = (await batch.json()) as { results: { errors: { path: string }[] }[] };
    expect(results[0]?.errors.map((one) => one.path)).toEqual(['workdir']);
  });
});

test('of what runs inside of a service, and of its files', async () => {
  const created = (await (await on.call('POST', '/v1/services', image)).json()) as { id: string };
  const at = `/v1/services/${created.id}`;
  for (const path of bad) {
    const exec = await on.call('POST', `${at}/exec`, { command: ['true'], workdir: path });
    expect(pathsOf(await problemOf(exec, 400, 'validation_failed'))).toEqual(['workdir']);
  }
  for (const file of ['proc/self/fd/7', 'proc/sysrq-trigger', 'sys/x', 'dev/kmsg'])
    for (const method of ['GET', 'PUT', 'DELETE'])
      expect(
        pathsOf(await problemOf(await on.call(method, `${at}/files/${file}`), 400, 'validation_failed')),
      ).toEqual(['path']);
  const record = await on.gateway.services.read(created.id);
  if (record !== undefined) await on.gateway.services.gone(record, undefined);
});

test.each(['/', '//', '/.'])('files from %s on lie not among the kernel’s', async (workdir) => {
  const files = ['a', 'proc/self/mem', 'sys/x', 'dev/null', 'processes/x'].map((path) => ({
    path,
    content: '',
  }));
  for (const at of ['/v1/runs', '/v1/services']) {
    const problem = await problemOf(
      await on.call('POST', at, { ...image, workdir, files }),
      400,
      'validation_failed',
    );
    expect(pathsOf(problem)).toEqual(['files[1].path', 'files[2].path', 'files[3].path']);
  }
});

test.each(['/', '/work', '/process', '/procs/x', '/devel', '/home/dev', '/work/proc', '/system'])(
  '%s is as good as any',
  (path) => expect(kernelFolder(path)).toBeUndefined(),
);

test.each(['/proc/self/fd/7', '/work/../proc/1', '/dev', '//sys'])(
  'an image whose own WORKDIR is %s is told of by the worker',
  (workdir) => {
    const told = expect.objectContaining({
      code: 'start_failed',
      message: expect.stringContaining('WORKDIR'),
    });
    const shape = { limits: {}, isolation: 'container', writable: false, workdir: undefined } as never;
    const made = { id: 'x', workdir, volumes: [] } as never;
    expect(() => sandboxSpecFor(shape, made, {} as never, '')).toThrow(told);
    expect(() => serviceWorkdir(undefined, false, { workdir })).toThrow(told);
    expect(() => serviceWorkdir(undefined, true, { workdir })).toThrow(told);
    expect(serviceWorkdir('/work', false, { workdir })).toBe('/work');
  },
);
