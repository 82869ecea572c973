import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { createDockerEngine } from '../../../services/worker/engine/docker/docker-engine.ts';
import { transportFor } from '../../../services/worker/engine/docker/host.ts';
import type { Engine } from '../../../services/worker/engine/engine.ts';
import { startRunlet } from '../../support/runlet.ts';
import { bench, collect, sh } from './support.ts';

const { engine: direct, spec, service } = bench();
const socketPath = inject('lab').dockerHost.replace('unix://', '');
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** The real Engine at another address: every connection is led to its socket. `through` may meddle with it. */
async function proxy(
  server: Server,
  through: (client: Socket, upstream: Socket) => void = pass,
): Promise<number> {
  const open = new Set<Socket>();
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (client: Socket) => {
    const upstream = connect({ path: socketPath, allowHalfOpen: true });
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => {}).on('close', () => open.delete(socket));
    }
    // As where there is no proxy: the Engine hears that its client is gone. Else it may keep a container's lock for ever, while it waits
    // for somebody to read that one's output, and removes no image meanwhile.
    client.on('close', () => upstream.destroy());
    through(client, upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function pass(client: Socket, upstream: Socket): void {
  client.pipe(upstream).pipe(client);
}

function engineAt(options: Parameters<typeof createDockerEngine>[0]): Engine {
  const engine = createDockerEngine(options);
  closers.push(() => engine.close());
  return engine;
}

/** A whole run with stdin, its half-close, output and exit. */
async function echo(engine: Engine, text: string): Promise<{ stdout: string; exitCode: number }> {
  const id = await engine.containers.create(
    await spec({ stdin: text, command: ['sh', '-c', 'cat; exit 7'] }),
  );
  try {
    const { output, stdin } = await engine.containers.attach(id, { stdin: true });
    await engine.containers.start(id);
    stdin?.end(text);
    const { stdout } = await collect(output);
    return { stdout: stdout.toString(), ...(await engine.containers.exit(id)) };
  } finally {
    await direct.containers.remove(id);
  }
}

/** The same of a program in a running container, where both directions are one connection. */
async function echoInside(engine: Engine, text: string): Promise<string> {
  const id = await service(['sleep', '600']);
  const { output, stdin } = await engine.containers.exec(id, {
    argv: ['cat'],
    user: '',
    workdir: '',
    env: {},
  });
  stdin?.end(text);
  return (await collect(output)).stdout.toString();
}

const long = 'a line of text\n'.repeat(50_000);

describe('an engine by TCP', () => {
  it('does all that one by its socket does', async () => {
    const port = await proxy(createServer({ allowHalfOpen: true }));
    const engine = engineAt({ dockerHost: `tcp://127.0.0.1:${port}` });
    expect(engine.local).toBe(false);
    expect(await echo(engine, long)).toEqual({ stdout: long, exitCode: 7 });
    expect((await echoInside(engine, long)) === long).toBe(true);
  });

  it('is found again after its connections were cut', async () => {
    const clients = new Set<Socket>();
    const port = await proxy(createServer({ allowHalfOpen: true }), (client, upstream) => {
      clients.add(client);
      pass(client, upstream);
    });
    const engine = engineAt({ dockerHost: `tcp://127.0.0.1:${port}` });
    for (let n = 0; n < 3; n++) {
      await engine.ping();
      const gone = [...clients].map(
        (client) => new Promise((resolve) => (client.destroyed ? resolve(0) : client.once('close', resolve))),
      );
      for (const client of clients) client.destroy();
      await Promise.all(gone);
      await sleep(50);
    }
    await engine.ping();
  });

  it('that loses the answer to a create still gives the container, and just one', async () => {
    let lost = 0;
    const port = await proxy(createServer({ allowHalfOpen: true }), (client, upstream) => {
      let creating = false;
      client.on('data', (bytes: Buffer) => {
        creating ||= bytes.includes('POST /containers/create');
        upstream.write(bytes);
      });
      upstream.on('data', (bytes: Buffer) => {
        if (creating && lost === 0) {
          lost += 1;
          client.destroy();
        } else client.write(bytes);
      });
    });
    const engine = engineAt({ dockerHost: `tcp://127.0.0.1:${port}` });
    const made = await spec({ command: ['true'] });
    const id = await engine.containers.create(made);
    expect(lost).toBe(1);
    expect((await direct.containers.inspect(made.name))?.id).toBe(id);
    await direct.containers.remove(id);
  });

  it('that breaks in the middle fails output, log and wait as engine_unavailable', async () => {
    const clients = new Set<Socket>();
    const port = await proxy(createServer({ allowHalfOpen: true }), (client, upstream) => {
      clients.add(client);
      pass(client, upstream);
    });
    const engine = engineAt({ dockerHost: `tcp://127.0.0.1:${port}` });
    const id = await engine.containers.create(await spec({ command: ['sh', '-c', 'echo begun; sleep 60'] }));
    const { output } = await engine.containers.attach(id, { stdin: false });
    await engine.containers.start(id);
    const exited = engine.containers.exit(id);
    exited.catch(() => {});
    await new Promise((resolve) => output.once('readable', resolve));
    const kept = await service(['sh', '-c', 'echo begun; sleep 600']);
    const log = await engine.containers.logs(kept, { tail: 'all', follow: true });
    const inside = await engine.containers.exec(kept, {
      argv: ['sleep', '600'],
      user: '',
      workdir: '',
      env: {},
    });
    await new Promise((resolve) => log.once('readable', resolve));
    for (const client of clients) client.resetAndDestroy();
    const unavailable = expect.objectContaining({ code: 'engine_unavailable' });
    await expect(collect(output)).rejects.toEqual(unavailable);
    await expect(collect(inside.output)).rejects.toEqual(unavailable);
    await expect(log.toArray()).rejects.toEqual(unavailable);
    await expect(exited).rejects.toEqual(unavailable);
    await direct.containers.remove(id);
  });
});

describe('an engine by TLS', () => {
  let certs: string;
  beforeAll(() => {
    certs = mkdtempSync(join(tmpdir(), 'runlet-certs-'));
    const file = (name: string) => join(certs, name);
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    sh(
      'openssl',
      'req',
      '-x509',
      ...key,
      '-keyout',
      file('ca-key.pem'),
      '-out',
      file('ca.pem'),
      '-subj',
      '/CN=lab ca',
    );
    const signed = ['-x509', ...key, '-CA', file('ca.pem'), '-CAkey', file('ca-key.pem')];
    const san = ['-addext', 'subjectAltName=IP:127.0.0.1'];
    sh(
      'openssl',
      'req',
      ...signed,
      ...san,
      '-keyout',
      file('server-key.pem'),
      '-out',
      file('server.pem'),
      '-subj',
      '/CN=server',
    );
    sh(
      'openssl',
      'req',
      ...signed,
      '-keyout',
      file('key.pem'),
      '-out',
      file('cert.pem'),
      '-subj',
      '/CN=client',
    );
  });
  afterAll(() => rmSync(certs, { recursive: true }));

  const listen = () => {
    const read = (name: string) => readFileSync(join(certs, name));
    const tls = { key: read('server-key.pem'), cert: read('server.pem'), ca: read('ca.pem') };
    return proxy(
      createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true, allowHalfOpen: true }),
    );
  };

  it('does all that one by its socket does, for a client with a certificate', async () => {
    const dockerHost = `tcp://127.0.0.1:${await listen()}`;
    const engine = engineAt({ dockerHost, tlsVerify: true, certPath: certs });
    expect(await echo(engine, long)).toEqual({ stdout: long, exitCode: 7 });
    expect((await echoInside(engine, long)) === long).toBe(true);
  });

  it('is the one of a worker that has DOCKER_TLS_VERIFY and DOCKER_CERT_PATH', async () => {
    const runlet = await startRunlet(inject('lab'), {
      env: {
        DOCKER_HOST: `tcp://127.0.0.1:${await listen()}`,
        DOCKER_TLS_VERIFY: '1',
        DOCKER_CERT_PATH: certs,
      },
    });
    try {
      const answer = await runlet.call('POST', '/v1/runs', { image: 'busybox', command: ['echo', 'by TLS'] });
      const run = await runlet.ended(((await answer.json()) as { id: string }).id);
      expect(run).toMatchObject({ status: 'succeeded', stdout: 'by TLS\n' });
    } finally {
      await runlet.stop();
    }
  });

  it('is not trusted, and does not trust, without them', async () => {
    const dockerHost = `tcp://127.0.0.1:${await listen()}`;
    const unavailable = expect.objectContaining({ code: 'engine_unavailable' });
    await expect(engineAt({ dockerHost, tlsVerify: true }).ping()).rejects.toEqual(unavailable);
    await expect(engineAt({ dockerHost }).ping()).rejects.toEqual(unavailable);
  });
});

describe('an address', () => {
  it.each([
    ['unix:///run/x.sock', 'http', '/run/x.sock', true],
    ['tcp://engine.example:2375', 'http', 'tcp://engine.example:2375', false],
    ['tcp://engine.example:2376', 'https', 'tcp://engine.example:2376', false],
    ['https://engine.example', 'https', 'https://engine.example', false],
    ['ssh://me@engine.example', 'ssh', 'ssh://engine.example', false],
    ['engine.example:2375', 'http', 'tcp://engine.example:2375', false],
  ])('%s is read as docker does', (dockerHost, protocol, shown, local) => {
    expect(transportFor({ dockerHost })).toMatchObject({ protocol, shown, local });
  });
});
