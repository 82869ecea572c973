import { randomBytes } from 'node:crypto';
import { get } from 'node:http';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { buildImage } from '../../infra/images/build.ts';
import { pushImage } from '../../infra/images/push.ts';
import { waitUntil } from '../../infra/parts/pids.ts';
import { freePort } from '../../infra/parts/ports.ts';
import { silent } from '../../infra/parts/say.ts';
import { docker } from '../support/docker.ts';
import { startReceiver, verified } from '../support/receiver.ts';
import { servicesOf } from '../whole/services/support.ts';
import { composeCommand, composeProject } from './support/compose.ts';
import { root } from './support/npm-start.ts';
import { receivedBy, receiverService } from './support/receiver-service.ts';
import { type Stack, startStack } from './support/stack.ts';

const lab = inject('lab');

// A site of its own: the cache's upstream is a second registry beside it, in place of the public one; and somebody's server
// that takes webhooks.
const site = (ports: { upstream: number; receiver: number }) => ({
  services: {
    upstream: { image: 'registry:2', networks: ['outside'], ports: [`127.0.0.1:${ports.upstream}:5000`] },
    receiver: receiverService(ports.receiver),
  },
});

describe.runIf(lab.dockerHost.startsWith('unix://'))('docker-compose.yml', () => {
  let stack: Stack;
  let receiverPort = 0;

  beforeAll(async () => {
    const upstream = await freePort('127.0.0.1');
    receiverPort = await freePort('127.0.0.1');
    stack = await startStack(lab, {
      site: site({ upstream, receiver: receiverPort }),
      env: { RUNLET_REGISTRY_UPSTREAM: 'http://upstream:5000', RUNLET_WEBHOOK_ALLOW: 'receiver' },
      async meanwhile() {
        const hello = await buildImage('hello-world', lab.imageCache, silent);
        const address = `127.0.0.1:${upstream}`;
        await waitUntil(() => pushImage(hello, { address }).catch(() => false), 30_000, 200);
      },
    });
  }, 900_000);

  afterAll(async () => {
    await stack?.remove();
    await docker(lab.dockerHost, 'rmi', '--force', `${stack?.cache}/library/hello-world`).catch(
      () => undefined,
    );
  }, 120_000);

  const gatewayPort = () => new URL(stack.gateway).port;

  /** As a browser does, which takes every name that ends in .localhost for this machine. */
  const byName = (name: string) =>
    new Promise<string>((resolve, reject) => {
      const headers = { host: `${name}.localhost:${gatewayPort()}` };
      get(stack.gateway, { headers, agent: false }, (answer) => resolve(text(answer))).once('error', reject);
    });

  it('runs what is posted, in the Engine that runs it', async () => {
    const { status, run } = await stack.post('hello-world');
    expect(status).toBe(200);
    expect(run).toMatchObject({ status: 'succeeded', exitCode: 0 });
    expect(run.stdout).toContain('Hello from Docker!');
  });

  it('has a registry that fetches from its upstream what it is asked for', async () => {
    const { run } = await stack.post(`${stack.cache}/library/hello-world`);
    expect(run).toMatchObject({ status: 'succeeded', image: { digest: expect.stringMatching(/^sha256:/) } });
  });

  it('keeps artifacts where the worker writes and the gateway reads and removes them', async () => {
    const authorization = `Bearer ${stack.key}`;
    const { status, run } = await stack.post('busybox', {
      command: ['sh', '-c', 'mkdir -p out/deep; echo kept > out/deep/a.txt'],
      artifacts: ['out/**'],
    });
    expect([status, run]).toMatchObject([
      200,
      { status: 'succeeded', error: null, artifacts: [{ path: 'out/deep/a.txt', sizeBytes: 5 }] },
    ]);
    const address = `${stack.gateway}/v1/runs/${run.id}`;
    const kept = await fetch(`${address}/artifacts/out/deep/a.txt`, { headers: { authorization } });
    expect(await kept.text()).toBe('kept\n');
    // Of the worker's user, for the gateway's group, for nobody else.
    const list = ['find', '/var/lib/runlet/artifacts', '-mindepth', '2', '-printf', '%u:%g %m %y\\n'];
    const lines = async () => {
      return [...new Set((await stack.inside('gateway', ...list)).split('\n'))].sort();
    };
    expect(await lines()).toEqual(['root:node 2770 d', 'root:node 640 f']);
    expect((await fetch(address, { method: 'DELETE', headers: { authorization } })).status).toBe(204);
    expect((await fetch(address, { headers: { authorization } })).status).toBe(404);
    expect(await lines()).toEqual(['root:node 2770 d']);
  });

  it('delivers webhooks, signed, to the receiver that the operator allows, and to none of its neighbours', async () => {
    const secret = `whsec_${randomBytes(32).toString('base64')}`;
    const { run } = await stack.post('hello-world', {
      webhook: { url: 'http://receiver:3000/hook', secret },
    });
    await expect.poll(() => receivedBy(receiverPort), { timeout: 60_000 }).toHaveLength(1);
    const [received] = await receivedBy(receiverPort);
    expect(received && verified(secret, received)).toMatchObject({
      type: 'run.finished',
      data: { id: run.id, status: 'succeeded', url: `${stack.gateway}/v1/runs/${run.id}` },
    });

    const other = await stack.post('hello-world', { webhook: { url: 'http://upstream:5000/v2/', secret } });
    const firstTry = async () => {
      const headers = { authorization: `Bearer ${stack.key}` };
      const answer = await fetch(`${stack.gateway}/v1/deliveries?run=${other.run.id}`, { headers });
      const { data } = (await answer.json()) as { data: { attempts: { error: { code: string } }[] }[] };
      return data[0]?.attempts[0]?.error.code;
    };
    await expect.poll(firstTry, { timeout: 60_000 }).toBe('blocked_address');
  });

  it('keeps services, reached by name, and behind the firewall', async () => {
    const api = servicesOf({ url: stack.gateway, apiKey: stack.key, call: stack.call }, lab.dockerHost);
    const service = await api.start({
      ...{ name: 'web', image: 'busybox', port: 80, public: true, limits: { memoryBytes: 2 ** 25 } },
      command: [
        'sh',
        '-c',
        'mkdir /tmp/www; echo here > /tmp/www/index.html; trap "exit 0" TERM; httpd -f -p 80 -h /tmp/www & wait',
      ],
    });
    expect(service).toMatchObject({ status: 'ready', error: null });
    expect(await byName('web')).toBe('here\n');
    // The address of its bridge is this machine's, where somebody listens on all addresses.
    const bystander = await startReceiver('0.0.0.0');
    onTestFinished(bystander.stop);
    bystander.answer((_, response) => response.end('open'));
    const format = '{{ range .NetworkSettings.Networks }}{{ .Gateway }}{{ end }}';
    const bridge = await docker(lab.dockerHost, 'inspect', '-f', format, api.container(service));
    const address = `http://${bridge}:${bystander.port}`;
    const tried = await api.act('web', 'exec', {
      command: ['wget', '-T', '3', '-q', '-O', '-', `${address}/by-service`],
    });
    expect(tried).toMatchObject({ status: 'failed', stdout: '' });
    expect(await (await fetch(`${address}/by-host`)).text()).toBe('open');
    expect(bystander.received.map(({ path }) => path)).toEqual(['/by-host']);
    await api.remove('web');
  });

  it('gives a run the way out that it asks for', async () => {
    const { status, run } = await stack.post('busybox', { network: 'egress', command: ['ip', 'route'] });
    expect([status, run]).toMatchObject([200, { status: 'succeeded', error: null }]);
    expect(run.stdout).toContain('default via ');
  });

  it('gives no program of ours a capability but the worker the firewall’s, a writable root or another’s code', async () => {
    const netAdmin = '0000000000001000';
    for (const service of ['gateway', 'notifier', 'worker']) {
      const status = await stack.inside(
        service,
        'grep',
        '-E',
        '^(CapEff|CapBnd|NoNewPrivs)',
        '/proc/1/status',
      );
      const capabilities = service === 'worker' ? netAdmin : '0000000000000000';
      expect(status.replaceAll('\t', ' ').split('\n')).toEqual(
        expect.arrayContaining([`CapEff: ${capabilities}`, `CapBnd: ${capabilities}`, 'NoNewPrivs: 1']),
      );
      await expect(stack.inside(service, 'touch', '/app/written')).rejects.toThrow('Read-only file system');
      expect(await stack.inside(service, 'ls', '/app/services')).toBe(service);
    }
    for (const service of ['gateway', 'notifier'])
      expect(await stack.inside(service, 'id', '-u')).not.toBe('0');
  });

  it('is reached by loopback alone, and its Redis by nothing but the socket', async () => {
    for (const service of ['redis', 'notifier', 'worker', 'gateway'])
      expect(await docker(lab.dockerHost, 'port', await stack.container(service))).toBe('');
    expect(await stack.inside('redis', 'cat', '/proc/net/dev')).not.toContain('eth0');
    const others = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4');
    expect(others).not.toEqual([]);
    for (const { address } of others)
      await expect(fetch(`http://${address}:${gatewayPort()}/healthz`)).rejects.toThrow('fetch failed');
  });

  it('comes to be healthy in all its parts', async () => {
    const states = async () => {
      const ids = (await stack.compose(['ps', '-q'])).stdout.trim().split('\n');
      const format =
        '{{ index .Config.Labels "com.docker.compose.service" }} {{ if .State.Health }}{{ .State.Health.Status }}{{ end }}';
      return (await docker(lab.dockerHost, 'inspect', '--format', format, ...ids))
        .split('\n')
        .map((line) => line.trim())
        .sort();
    };
    await expect
      .poll(states, { timeout: 60_000, interval: 500 })
      .toEqual([
        'gateway healthy',
        'notifier healthy',
        'receiver',
        'redis healthy',
        'registry healthy',
        'upstream',
        'worker healthy',
      ]);
  });

  it('keeps what was stored when all of it is stopped and started again', async () => {
    const { run } = await stack.post('hello-world');
    await stack.compose(['restart', '--timeout', '20']);
    await expect.poll(stack.ready, { timeout: 60_000 }).toBe(200);
    const again = await fetch(`${stack.gateway}/v1/runs/${run.id}`, {
      headers: { authorization: `Bearer ${stack.key}` },
    });
    expect(await again.json()).toMatchObject({ id: run.id, status: 'succeeded' });
  });

  it('will not start without its keys, and says what to do', async () => {
    const bare = composeProject(await composeCommand(), stack.project, [join(root, 'docker-compose.yml')], {
      RUNLET_API_KEY: '',
      RUNLET_SECRET_KEY: 'set',
    });
    const { code, stderr } = await bare(['config'], true);
    expect(code).not.toBe(0);
    expect(stderr).toContain('put RUNLET_API_KEY into .env');
  });

  it('leaves nothing behind when it is taken down', async () => {
    await stack.compose(['down', '--volumes', '--timeout', '20']);
    const label = `label=com.docker.compose.project=${stack.project}`;
    expect(await docker(lab.dockerHost, 'ps', '--all', '--quiet', '--filter', label)).toBe('');
    expect(await docker(lab.dockerHost, 'volume', 'ls', '--quiet', '--filter', label)).toBe('');
    expect(await docker(lab.dockerHost, 'network', 'ls', '--quiet', '--filter', label)).toBe('');
  });
});
