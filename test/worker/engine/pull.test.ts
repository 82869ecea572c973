import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { PullOptions } from '../../../services/worker/engine/images.ts';
import { checkPlatform } from '../../../services/worker/images/platform.ts';
import type { PullLayer } from '../../../shared/contracts/events.ts';
import { bench, docker } from './support.ts';

const { engine } = bench();
const lab = inject('lab');
const code = (wanted: string) => expect.objectContaining({ name: 'Problem', code: wanted });
const own = (name: string) => `${lab.registry}/runlet-test/${name}`;

const pulled = new Set<string>();
const pull = async (reference: string, options: PullOptions = {}) => {
  pulled.add(reference);
  await engine.images.pull(reference, options);
};

afterEach(async () => {
  for (const reference of pulled) await engine.images.remove(reference);
  pulled.clear();
});

describe('pull', () => {
  it('brings an image, tells of each layer to its end, and knows the digest', async () => {
    const pictures: PullLayer[][] = [];
    await pull(own('layers:1'), { onProgress: (layers) => pictures.push(layers) });
    const last = pictures.at(-1) ?? [];
    expect(last.length).toBeGreaterThanOrEqual(4);
    expect(new Set(last.map(({ status }) => status))).toEqual(new Set(['done']));
    expect(last.every(({ currentBytes, totalBytes }) => currentBytes === totalBytes)).toBe(true);
    const image = await engine.images.inspect(own('layers:1'));
    expect(image?.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(image?.digest).not.toBe(image?.id);
    expect(docker('image', 'inspect', '-f', '{{json .RepoDigests}}', own('layers:1'))).toContain(
      image?.digest,
    );
    expect(await engine.images.list()).toContainEqual(
      expect.objectContaining({ reference: own('layers:1'), digest: image?.digest }),
    );
  });

  it('by digest brings just that, and needs no tag', async () => {
    await pull(own('traits:1'));
    const digest = (await engine.images.inspect(own('traits:1')))?.digest;
    await engine.images.remove(own('traits:1'));
    const reference = `${own('traits')}@${digest}`;
    await pull(reference);
    expect((await engine.images.inspect(reference))?.digest).toBe(digest);
  });

  it('once more of what is there is quick and quiet', async () => {
    await pull(own('traits:1'));
    await pull(own('traits:1'));
  });

  it('stops with its signal', async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error('no longer wanted'));
    await expect(pull(own('layers:1'), { signal: controller.signal, onProgress })).rejects.toThrow(
      'no longer wanted',
    );
    await expect(pull(own('layers:1'), { signal: AbortSignal.abort(new Error('at once')) })).rejects.toThrow(
      'at once',
    );
  });
});

describe('a pull that fails tells why:', () => {
  it('no such image, no such tag, no such digest', async () => {
    for (const reference of [
      own('no-such'),
      own('traits:no-such'),
      `${own('traits')}@sha256:${'1'.repeat(64)}`,
    ]) {
      await expect(pull(reference)).rejects.toEqual(code('image_not_found'));
      await expect(pull(reference)).rejects.toThrow('Check the spelling');
    }
  });

  it('a private registry, without credentials, with wrong ones, with the right ones', async () => {
    const { image, host, username, password } = lab.privateRegistry;
    await expect(pull(image)).rejects.toEqual(code('registry_auth'));
    await expect(pull(image)).rejects.toThrow(`PUT /v1/registries/${host}`);
    const wrong = { credentials: { username, password: 'wrong' } };
    await expect(pull(image, wrong)).rejects.toEqual(code('registry_auth'));
    await expect(pull(image, wrong)).rejects.toThrow('refused the stored credentials');
    await pull(image, { credentials: { username, password } });
    expect(await engine.images.inspect(image)).not.toBeNull();
    // With credentials in hand, missing is missing.
    const missing = `${image.replace(/:[^:/]*$/, '')}:none`;
    await expect(pull(missing, { credentials: { username, password } })).rejects.toEqual(
      code('image_not_found'),
    );
  });

  it('no registry at the address', async () => {
    await expect(pull('127.0.0.1:1/any:1')).rejects.toEqual(code('registry_unavailable'));
    await expect(pull('no-such-host.invalid/any:1')).rejects.toEqual(code('registry_unavailable'));
  });

  it('an image of another platform, in a list of manifests or alone', async () => {
    await expect(pull(own('foreign:1'))).rejects.toEqual(code('platform_mismatch'));
    // The engine says nothing about this one, so it is asked.
    await pull(own('foreign-single:1'));
    const [image, info] = [await engine.images.inspect(own('foreign-single:1')), await engine.info()];
    expect(image && checkPlatform(image, info, 'foreign-single')).toEqual(code('platform_mismatch'));
    const native = await engine.images.inspect('busybox');
    expect(native && checkPlatform(native, info, 'busybox')).toBeNull();
  });

  describe('a registry that', () => {
    let server: Server;
    let answer: { status: number; body: object };
    let host: string;
    beforeAll(async () => {
      server = createServer((request, response) => {
        const { status, body } = request.url === '/v2/' ? { status: 200, body: {} } : answer;
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    afterAll(() => {
      server.closeAllConnections();
      server.close();
    });

    const errors = (code: string, message: string) => ({ errors: [{ code, message }] });
    it.each([
      ['fails', { status: 500, body: {} }, 'registry_unavailable'],
      ['is overloaded', { status: 503, body: {} }, 'registry_unavailable'],
      [
        'has had enough of us',
        { status: 429, body: errors('TOOMANYREQUESTS', 'slow down') },
        'registry_unavailable',
      ],
      ['denies', { status: 403, body: errors('DENIED', 'not for you') }, 'image_not_found'],
      ['talks nonsense', { status: 200, body: { schemaVersion: 99 } }, 'pull_failed'],
    ])('%s', async (_what, given, problem) => {
      answer = given;
      await expect(pull(`${host}/some/image:1`)).rejects.toEqual(code(problem));
    });

    // What a registry denies to strangers may not exist at all; what it denies to an account is denied.
    it('denies although it got credentials', async () => {
      answer = { status: 403, body: errors('DENIED', 'not for you') };
      const credentials = { username: 'some', password: 'one' };
      await expect(pull(`${host}/some/image:1`, { credentials })).rejects.toEqual(code('registry_auth'));
    });
  });
});
