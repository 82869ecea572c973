import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { buildImage } from '../../infra/images/build.ts';
import type { ImageLayout } from '../../infra/images/layout.ts';
import { pushImage, pushToFolder } from '../../infra/images/push.ts';
import { openForPushes, type RunningRegistry, startRegistry } from '../../infra/parts/registry.ts';
import { run } from '../../infra/parts/run.ts';
import { silent } from '../../infra/parts/say.ts';

/** The embedded registry as `npm start` has it: its port is anybody's on this machine, its tags are not. */
const lab = inject('lab');
const parent = mkdtempSync(join(tmpdir(), 'runlet-tags-'));
const where = { folder: join(parent, 'registry'), logFile: join(parent, 'registry.log'), say: silent };
let registry: RunningRegistry;
let hello: ImageLayout;
let at: string;

beforeAll(async () => {
  // The folder's own mode is what counts, not its parent's.
  chmodSync(parent, 0o755);
  registry = await startRegistry({ ...where, preferredPort: 0, readOnly: true });
  hello = await buildImage('hello-world', lab.imageCache, silent);
  at = `http://${registry.address}/v2/library/hello-world`;
  expect(await pushToFolder(hello, registry.address, where)).toBe(true);
});
afterAll(async () => {
  await registry.child.stop();
  rmSync(parent, { recursive: true, force: true });
});

const top = () => (hello.list ?? hello.manifest).digest;
const digest = async () =>
  (
    await fetch(`${at}/manifests/latest`, { method: 'HEAD', headers: { accept: hello.manifest.mediaType } })
  ).headers.get('docker-content-digest');

test('nobody puts, moves or deletes a tag, an image or a blob by its port', async () => {
  const other = { schemaVersion: 2, mediaType: hello.manifest.mediaType, config: hello.config, layers: [] };
  const manifest = { body: JSON.stringify(other), headers: { 'content-type': hello.manifest.mediaType } };
  const tries: [string, string, object?][] = [
    ['PUT', `${at}/manifests/latest`, manifest],
    ['PUT', `${at}/manifests/evil`, manifest],
    ['DELETE', `${at}/manifests/latest`],
    ['DELETE', `${at}/manifests/${top()}`],
    ['DELETE', `${at}/blobs/${hello.config.digest}`],
    ['POST', `${at}/blobs/uploads/`],
    ['POST', `${at}/blobs/uploads/?mount=${hello.config.digest}&from=library/hello-world`],
    ['PATCH', `${at}/blobs/uploads/00000000-0000-0000-0000-000000000000`, { body: 'x' }],
    ['PUT', `${at}/blobs/uploads/00000000-0000-0000-0000-000000000000?digest=${top()}`, { body: 'x' }],
  ];
  for (const [method, url, init] of tries) {
    const { status } = await fetch(url, { method, ...init });
    // To an upload that nobody has begun it says first that there is none.
    expect([method, url, url.includes('-0000-') && status === 404 ? 405 : status]).toEqual([
      method,
      url,
      405,
    ]);
  }
  await expect(pushImage({ ...hello, tags: ['evil'] }, { address: registry.address })).rejects.toThrow('405');
  expect(await digest()).toBe(top());
});

test('only its folder’s owner reaches the socket that takes images, which is gone when they are in', async () => {
  expect(readdirSync(where.folder).filter((name) => name.startsWith('push-'))).toEqual([]);
  expect(await pushToFolder(hello, registry.address, where)).toBe(false);
  const { socketPath, close } = await openForPushes(where);
  try {
    expect(statSync(dirname(socketPath)).mode & 0o777).toBe(0o700);
    const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups', 'curl', '-s', '--unix-socket'];
    const tried = await run('setpriv', [...asNobody, socketPath, 'http://registry/v2/'], {
      allowFailure: true,
    });
    expect(tried.code).not.toBe(0);
    const owner = await run('curl', ['-s', '--unix-socket', socketPath, 'http://registry/v2/']);
    expect(owner.stdout).toBe('{}');
  } finally {
    await close();
  }
  expect(readdirSync(where.folder).filter((name) => name.startsWith('push-'))).toEqual([]);
});

test('what was pushed meanwhile is served at once', async () => {
  const tagged = { ...hello, tags: ['latest', 'later'] };
  expect((await fetch(`${at}/manifests/later`)).status).toBe(404);
  expect(await pushToFolder(tagged, registry.address, where)).toBe(true);
  expect(
    (await fetch(`${at}/manifests/later`, { headers: { accept: hello.manifest.mediaType } })).status,
  ).toBe(200);
});
