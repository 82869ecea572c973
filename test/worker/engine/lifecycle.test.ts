import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createDockerEngine } from '../../../services/worker/engine/docker/docker-engine.ts';
import { labelNames, labelsFor, ownerFrom } from '../../../services/worker/labels.ts';
import { bench, docker } from './support.ts';

const { engine, image, spec, runSpec } = bench();
const code = (wanted: string) => expect.objectContaining({ name: 'Problem', code: wanted });

describe('create', () => {
  it('takes the place of a stale container of the same attempt', async () => {
    const made = await spec({ command: ['true'] });
    const first = await engine.containers.create(made);
    const second = await engine.containers.create(made);
    expect(second).not.toBe(first);
    expect(await engine.containers.inspect(first)).toBeNull();
    expect((await engine.containers.inspect(made.name))?.id).toBe(second);
    await engine.containers.remove(made.name);
  });

  it('leaves a stranger of the same name alone', async () => {
    const made = await spec({ command: ['true'] });
    docker('create', '--name', made.name, 'busybox', 'true');
    await expect(engine.containers.create(made)).rejects.toEqual(code('conflict'));
    docker('rm', made.name);
  });

  it('tells that the image is gone, and that a runtime is missing', async () => {
    const made = await spec({ command: ['true'] });
    const missing = { ...made, image: `sha256:${'0'.repeat(64)}` };
    await expect(engine.containers.create(missing)).rejects.toEqual(code('image_not_present'));
    await expect(engine.containers.create({ ...made, runtime: 'no-such-runtime' })).rejects.toEqual(
      code('isolation_unavailable'),
    );
  });
});

describe('start', () => {
  it.each([
    ['command_not_found', ['no-such-program'], {}],
    ['command_not_found', ['/no/such/file'], {}],
    ['command_not_executable', ['/etc'], {}],
    ['command_not_executable', ['/blank'], { tmpfsOn: '/blank' }],
  ])('fails as %s for %j', async (problem, command, more: { tmpfsOn?: string }) => {
    const made = await spec({ command });
    if (more.tmpfsOn)
      made.tmpfs.push({ path: more.tmpfsOn, sizeBytes: 4096, inodes: 16, uid: 1000, gid: 1000 });
    const id = await engine.containers.create(made);
    await expect(engine.containers.start(id)).rejects.toEqual(code(problem));
    await engine.containers.remove(id);
  });

  it('names the folder that is none', async () => {
    const made = { ...(await spec({ command: ['true'] })), workdir: '/bin/busybox' };
    const started = engine.containers.create(made).then((id) => engine.containers.start(id));
    await expect(started).rejects.toEqual(code('start_failed'));
    await expect(started).rejects.toThrow('/bin/busybox');
    await engine.containers.remove(made.name);
  });

  it('tells that the container is gone', async () => {
    await expect(engine.containers.start('0123456789ab')).rejects.toEqual(code('container_lost'));
    await expect(engine.containers.exit('0123456789ab')).rejects.toEqual(code('container_lost'));
    await expect(engine.containers.attach('0123456789ab', { stdin: true })).rejects.toEqual(
      code('container_lost'),
    );
  });
});

describe('exit', () => {
  it('is not missed, however short the program lives', async () => {
    for (let n = 0; n < 5; n++)
      expect((await runSpec(await spec({ command: ['sh', '-c', `exit ${n}`] }))).exitCode).toBe(n);
  });

  it('is answered at once for what has ended before', async () => {
    const id = await engine.containers.create(await spec({ command: ['sh', '-c', 'exit 9'] }));
    await engine.containers.start(id);
    await engine.containers.exit(id);
    expect(await engine.containers.exit(id)).toEqual({ exitCode: 9 });
    await engine.containers.remove(id);
  });

  it('ends with the caller’s reason', async () => {
    const id = await engine.containers.create(await spec({ command: ['sleep', '60'] }));
    const controller = new AbortController();
    await engine.containers.start(id);
    const exited = engine.containers.exit(id, controller.signal);
    controller.abort(new Error('enough'));
    await expect(exited).rejects.toThrow('enough');
    await engine.containers.remove(id);
  });
});

describe('ending', () => {
  it('is idempotent at every stage', async () => {
    const id = await engine.containers.create(await spec({ command: ['sleep', '60'] }));
    await engine.containers.kill(id, 'SIGKILL');
    await engine.containers.start(id);
    await engine.containers.start(id);
    await Promise.all([
      engine.containers.remove(id),
      engine.containers.remove(id),
      engine.containers.remove(id),
    ]);
    expect(await engine.containers.inspect(id)).toBeNull();
    await engine.containers.remove(id);
    await engine.containers.kill(id, 'SIGKILL');
    await engine.networks.remove('runlet-no-such-network');
  });

  it('leaves no volume behind', async () => {
    const before = docker('volume', 'ls', '-q');
    const made = await spec({ command: ['true'] });
    const id = await engine.containers.create(made);
    await engine.containers.start(id);
    await engine.containers.remove(id);
    expect(docker('volume', 'ls', '-q')).toBe(before);
  });
});

describe('what the engine tells', () => {
  it('of itself', async () => {
    await engine.ping();
    const info = await engine.info();
    expect(info).toMatchObject({
      version: docker('version', '-f', '{{.Server.Version}}'),
      os: 'linux',
      runtimes: expect.objectContaining({ runc: { path: 'runc', args: [] } }),
    });
    expect(['amd64', 'arm64']).toContain(info.architecture);
    expect(info.runcVersion).toMatch(/^\d+\.\d+/);
  });

  it('of containers: found by our labels, with their state and size', async () => {
    const made = await spec({ command: ['sleep', '60'], writable: true });
    const id = await engine.containers.create(made);
    await engine.containers.start(id);
    const run = made.labels[labelNames.run] ?? '';
    const ofUser = { [labelNames.user]: made.labels[labelNames.user] };
    const [listed, ...others] = await engine.containers.list({
      [labelNames.run]: run,
      [labelNames.instance]: '',
    });
    expect(others).toEqual([]);
    expect(listed).toMatchObject({ id, name: made.name, status: 'running' });
    const owner = ownerFrom(listed?.name ?? '', listed?.labels ?? {});
    expect(owner?.of === 'run' && { ...labelsFor(owner.owner), ...ofUser }).toEqual(made.labels);
    expect(await engine.containers.inspect(id)).toMatchObject({
      running: true,
      status: 'running',
      finishedAt: null,
    });
    expect(await engine.containers.size(id)).toBeGreaterThanOrEqual(0);
    await engine.containers.remove(id);
    expect(await engine.containers.size(id)).toBeNull();
  });

  it('of images', async () => {
    const found = await image('busybox');
    expect(found).toMatchObject({ os: 'linux', cmd: ['sh'], entrypoint: [] });
    expect((await engine.images.list()).map(({ reference }) => reference)).toContain('busybox:latest');
    expect(await engine.images.inspect('runlet-test/no-such-image')).toBeNull();
    expect(await engine.images.remove('runlet-test/no-such-image')).toBe(false);
    docker('tag', 'busybox', 'runlet-test-tag:1');
    expect(await engine.images.remove('runlet-test-tag:1')).toBe(true);
  });

  it('of images by their ids, whole and as they are shown, a name before an id', async () => {
    const { id, digest } = await image('busybox');
    const hex = id.replace('sha256:', '');
    for (const name of [id, hex, hex.slice(0, 12), `sha256:${hex.slice(0, 20)}`])
      expect(await engine.images.inspect(name), name).toMatchObject({ id, digest });
    const other = (await image('hello-world')).id;
    docker('tag', 'hello-world', hex.slice(0, 12));
    expect((await engine.images.inspect(hex.slice(0, 12)))?.id).toBe(other);
    expect(await engine.images.remove(hex.slice(0, 12))).toBe(true);
    expect((await engine.images.inspect(hex.slice(0, 12)))?.id).toBe(id);
    expect(await engine.images.inspect('0'.repeat(64))).toBeNull();
    expect(await engine.images.inspect('0'.repeat(12))).toBeNull();
  });

  it('goes by its id where an image has lost its name, and says where it cannot tell which one begins so', async () => {
    const container = docker('create', 'busybox');
    const ids: string[] = [];
    const beginning = (id: string) => id.slice(0, 'sha256:x'.length);
    // Of seventeen two begin alike.
    while (new Set(ids.map(beginning)).size === ids.length) ids.push(docker('commit', container));
    docker('rm', container);
    const [last = ''] = ids.slice(-1);
    expect(await engine.images.list()).toContainEqual(
      expect.objectContaining({ reference: last, id: last, digest: null }),
    );
    const ambiguous = expect.objectContaining({
      code: 'image_not_found',
      message: expect.stringMatching(/beginning of the ids of \d+ images/),
    });
    await expect(engine.images.inspect(beginning(last))).rejects.toEqual(ambiguous);
    await expect(engine.images.remove(beginning(last))).rejects.toEqual(ambiguous);
    for (const id of ids) expect(await engine.images.remove(id)).toBe(true);
  });

  it('refuses to remove by its id an image that has several names', async () => {
    docker('tag', 'busybox', 'runlet-test-tag:2');
    const { id } = await image('busybox');
    await expect(engine.images.remove(id)).rejects.toEqual(
      expect.objectContaining({ code: 'conflict', message: expect.stringContaining('several names') }),
    );
    await engine.images.remove('runlet-test-tag:2');
  });

  it('refuses to remove an image that a container uses', async () => {
    docker('tag', 'busybox', 'runlet-test-used:1');
    const made = await spec({ image: 'runlet-test-used:1', command: ['sleep', '60'] });
    const id = await engine.containers.create(made);
    await engine.containers.start(id);
    const byId = (await image('runlet-test-used:1')).id;
    await expect(engine.images.remove(byId)).rejects.toEqual(code('conflict'));
    await engine.containers.remove(id);
    await engine.images.remove('runlet-test-used:1');
  });
});

describe('an engine that is not there', () => {
  const gone = code('engine_unavailable');

  it('is told apart from every other failure, with its address', async () => {
    const absent = createDockerEngine({ dockerHost: 'unix:///nonexistent/docker.sock' });
    await expect(absent.ping()).rejects.toEqual(gone);
    await expect(absent.ping()).rejects.toThrow('/nonexistent/docker.sock');
    await expect(absent.images.inspect('x')).rejects.toEqual(gone);
    await expect(absent.images.pull('x')).rejects.toEqual(gone);
    await expect(absent.containers.create(await spec({ command: ['true'] }))).rejects.toEqual(gone);
    await expect(absent.containers.attach('x', { stdin: false })).rejects.toEqual(gone);
    await expect(absent.containers.remove('x')).rejects.toEqual(gone);
  });

  it('that hangs up, or answers never, fails too', async () => {
    const server = createServer((socket) => socket.on('data', () => socket.destroy()).on('error', () => {}));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const broken = createDockerEngine({ dockerHost: `tcp://127.0.0.1:${port}` });
    await expect(broken.info()).rejects.toEqual(gone);
    await expect(broken.containers.start('x')).rejects.toEqual(gone);
    server.removeAllListeners('connection').on('connection', (socket) => socket.on('error', () => {}));
    await expect(broken.ping(AbortSignal.timeout(200))).rejects.toThrow(/timeout|abort/i);
    await expect(broken.ping()).rejects.toEqual(gone);
    broken.close();
    server.close();
  });

  it('refuses an address of no known kind', () => {
    expect(() => createDockerEngine({ dockerHost: 'gopher://x' })).toThrow('DOCKER_HOST');
  });
});
