import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { buildImage } from '../../infra/images/build.ts';
import { pushImage } from '../../infra/images/push.ts';
import { waitUntil } from '../../infra/parts/pids.ts';
import { freePort } from '../../infra/parts/ports.ts';
import type { RunResult } from '../../infra/parts/run.ts';
import { silent } from '../../infra/parts/say.ts';
import { docker } from '../support/docker.ts';
import { ensureLoaded } from '../support/lab-images.ts';
import { startReceiver, verified } from '../support/receiver.ts';
import { callerOf, type Runlet } from '../support/runlet.ts';
import { servicesOf } from '../whole/services/support.ts';
import { composeCommand, composeProject } from './support/compose.ts';
import { root } from './support/npm-start.ts';
import { receivedBy, receiverService } from './support/receiver-service.ts';

const lab = inject('lab');
const key = `rlk_${randomBytes(24).toString('hex')}`;
const project = `runlet-test-${randomBytes(4).toString('hex')}`;
const folder = mkdtempSync(join(tmpdir(), 'runlet-compose-'));
const bases = ['node', 'redis', 'registry', 'gcc'];
let compose: (args: string[], allowFailure?: boolean) => Promise<RunResult>;
let gateway = '';
let cache = '';
let receiverPort = 0;

// A site of its own: the cache's upstream is a second registry beside it, in place of the public one; and somebody's server
// that takes webhooks.
const site = (ports: { upstream: number; receiver: number }) => ({
  services: {
    upstream: { image: 'registry:2', networks: ['outside'], ports: [`127.0.0.1:${ports.upstream}:5000`] },
    receiver: receiverService(ports.receiver),
  },
});

describe.runIf(lab.dockerHost.startsWith('unix://'))('docker-compose.yml', () => {
  beforeAll(async () => {
    for (const name of bases) await ensureLoaded(lab, name);
    const override = join(folder, 'site.json');
    const ports = {
      gateway: await freePort('127.0.0.1'),
      cache: await freePort('127.0.0.1'),
      upstream: await freePort('127.0.0.1'),
      receiver: await freePort('127.0.0.1'),
    };
    writeFileSync(override, JSON.stringify(site(ports)));
    receiverPort = ports.receiver;
    gateway = `http://127.0.0.1:${ports.gateway}`;
    cache = `127.0.0.1:${ports.cache}`;
    compose = composeProject(await composeCommand(), project, [join(root, 'docker-compose.yml'), override], {
      DOCKER_HOST: lab.dockerHost,
      RUNLET_ENGINE_SOCKET: lab.dockerHost.slice('unix://'.length),
      RUNLET_TAG: project,
      RUNLET_API_KEY: key,
      RUNLET_SECRET_KEY: randomBytes(32).toString('base64'),
      RUNLET_PORT: String(ports.gateway),
      RUNLET_REGISTRY_PORT: String(ports.cache),
      RUNLET_REGISTRY_UPSTREAM: 'http://upstream:5000',
      RUNLET_PUBLIC_URL: gateway,
      RUNLET_WEBHOOK_ALLOW: 'receiver',
      RUNLET_BUILD_NETWORK: process.env.RUNLET_BUILD_NETWORK ?? 'default',
    });
    await compose(['up', '-d', '--build']);
    const hello = await buildImage('hello-world', lab.imageCache, silent);
    const address = `127.0.0.1:${ports.upstream}`;
    await waitUntil(() => pushImage(hello, { address }).catch(() => false), 30_000, 200);
    if (!(await waitUntil(async () => (await ready()) === 200, 90_000, 100))) {
      throw new Error(`Not ready:\n${(await compose(['logs', '--tail', '40'])).stdout}`);
    }
  }, 900_000);

  afterAll(async () => {
    await compose?.(['down', '--volumes', '--timeout', '20'], true);
    const images = [
      `runlet-gateway:${project}`,
      `runlet-worker:${project}`,
      `runlet-notifier:${project}`,
      `${cache}/library/hello-world`,
    ];
    for (const image of images) await docker(lab.dockerHost, 'rmi', '--force', image).catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  }, 120_000);

  const call: Runlet['call'] = (...request) => callerOf(gateway, key)(...request);
  const gatewayPort = () => new URL(gateway).port;

  /** As a browser does, which takes every name that ends in .localhost for this machine. */
  const byName = (name: string) =>
    new Promise<string>((resolve, reject) => {
      const headers = { host: `${name}.localhost:${gatewayPort()}` };
      get(gateway, { headers, agent: false }, (answer) => resolve(text(answer))).once('error', reject);
    });

  const ready = async () => (await fetch(`${gateway}/readyz`).catch(() => undefined))?.status;

  const container = (service: string) => {
    const labels = [`project=${project}`, `service=${service}`];
    const filters = labels.flatMap((label) => ['--filter', `label=com.docker.compose.${label}`]);
    return docker(lab.dockerHost, 'ps', '--quiet', ...filters);
  };

  // By the Engine's own client: Compose takes half a second for each.
  const inside = async (service: string, ...command: string[]) =>
    docker(lab.dockerHost, 'exec', await container(service), ...command);

  const post = async (image: string, more: Record<string, unknown> = {}) => {
    const response = await call('POST', '/v1/runs', { image, ...more }, { prefer: 'wait=30' });
    return { status: response.status, run: (await response.json()) as { id: string; stdout: string } };
  };

  it('runs what is posted, in the Engine that runs it', async () => {
    const { status, run } = await post('hello-world');
    expect(status).toBe(200);
    expect(run).toMatchObject({ status: 'succeeded', exitCode: 0 });
    expect(run.stdout).toContain('Hello from Docker!');
  });

  it('has a registry that fetches from its upstream what it is asked for', async () => {
    const { run } = await post(`${cache}/library/hello-world`);
    expect(run).toMatchObject({ status: 'succeeded', image: { digest: expect.stringMatching(/^sha256:/) } });
  });

  it('keeps artifacts where the worker writes and the gateway reads and removes them', async () => {
    const authorization = `Bearer ${key}`;
    const { status, run } = await post('busybox', {
      command: ['sh', '-c', 'mkdir -p out/deep; echo kept > out/deep/a.txt'],
      artifacts: ['out/**'],
    });
    expect([status, run]).toMatchObject([
      200,
      { status: 'succeeded', error: null, artifacts: [{ path: 'out/deep/a.txt', sizeBytes: 5 }] },
    ]);
    const address = `${gateway}/v1/runs/${run.id}`;
    const kept = await fetch(`${address}/artifacts/out/deep/a.txt`, { headers: { authorization } });
    expect(await kept.text()).toBe('kept\n');
    // Of the worker's user, for the gateway's group, for nobody else.
    const list = ['find', '/var/lib/runlet/artifacts', '-mindepth', '2', '-printf', '%u:%g %m %y\\n'];
    const lines = async () => {
      return [...new Set((await inside('gateway', ...list)).split('\n'))].sort();
    };
    expect(await lines()).toEqual(['root:node 2770 d', 'root:node 640 f']);
    expect((await fetch(address, { method: 'DELETE', headers: { authorization } })).status).toBe(204);
    expect((await fetch(address, { headers: { authorization } })).status).toBe(404);
    expect(await lines()).toEqual(['root:node 2770 d']);
  });

  it('delivers webhooks, signed, to the receiver that the operator allows, and to none of its neighbours', async () => {
    const secret = `whsec_${randomBytes(32).toString('base64')}`;
    const { run } = await post('hello-world', { webhook: { url: 'http://receiver:3000/hook', secret } });
    await expect.poll(() => receivedBy(receiverPort), { timeout: 30_000 }).toHaveLength(1);
    const [received] = await receivedBy(receiverPort);
    expect(received && verified(secret, received)).toMatchObject({
      type: 'run.finished',
      data: { id: run.id, status: 'succeeded', url: `${gateway}/v1/runs/${run.id}` },
    });

    const other = await post('hello-world', { webhook: { url: 'http://upstream:5000/v2/', secret } });
    const firstTry = async () => {
      const headers = { authorization: `Bearer ${key}` };
      const answer = await fetch(`${gateway}/v1/deliveries?run=${other.run.id}`, { headers });
      const { data } = (await answer.json()) as { data: { attempts: { error: { code: string } }[] }[] };
      return data[0]?.attempts[0]?.error.code;
    };
    await expect.poll(firstTry, { timeout: 30_000 }).toBe('blocked_address');
  });

  it('keeps services, reached by name, and behind the firewall', async () => {
    const api = servicesOf({ url: gateway, apiKey: key, call }, lab.dockerHost);
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
    const { status, run } = await post('busybox', { network: 'egress', command: ['ip', 'route'] });
    expect([status, run]).toMatchObject([200, { status: 'succeeded', error: null }]);
    expect(run.stdout).toContain('default via ');
  });

  it('gives no program of ours a capability but the worker the firewall’s, a writable root or another’s code', async () => {
    const netAdmin = '0000000000001000';
    for (const service of ['gateway', 'notifier', 'worker']) {
      const status = await inside(service, 'grep', '-E', '^(CapEff|CapBnd|NoNewPrivs)', '/proc/1/status');
      const capabilities = service === 'worker' ? netAdmin : '0000000000000000';
      expect(status.replaceAll('\t', ' ').split('\n')).toEqual(
        expect.arrayContaining([`CapEff: ${capabilities}`, `CapBnd: ${capabilities}`, 'NoNewPrivs: 1']),
      );
      await expect(inside(service, 'touch', '/app/written')).rejects.toThrow('Read-only file system');
      expect(await inside(service, 'ls', '/app/services')).toBe(service);
    }
    for (const service of ['gateway', 'notifier']) expect(await inside(service, 'id', '-u')).not.toBe('0');
  });

  it('is reached by loopback alone, and its Redis by nothing but the socket', async () => {
    for (const service of ['redis', 'notifier', 'worker', 'gateway'])
      expect(await docker(lab.dockerHost, 'port', await container(service))).toBe('');
    expect(await inside('redis', 'cat', '/proc/net/dev')).not.toContain('eth0');
    const others = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4');
    expect(others).not.toEqual([]);
    for (const { address } of others)
      await expect(fetch(`http://${address}:${gatewayPort()}/healthz`)).rejects.toThrow('fetch failed');
  });

  it('comes to be healthy in all its parts', async () => {
    const states = async () => {
      const ids = (await compose(['ps', '-q'])).stdout.trim().split('\n');
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
    const { run } = await post('hello-world');
    await compose(['restart', '--timeout', '20']);
    await expect.poll(ready, { timeout: 60_000 }).toBe(200);
    const again = await fetch(`${gateway}/v1/runs/${run.id}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(await again.json()).toMatchObject({ id: run.id, status: 'succeeded' });
  });

  it('will not start without its keys, and says what to do', async () => {
    const bare = composeProject(await composeCommand(), project, [join(root, 'docker-compose.yml')], {
      RUNLET_API_KEY: '',
      RUNLET_SECRET_KEY: 'set',
    });
    const { code, stderr } = await bare(['config'], true);
    expect(code).not.toBe(0);
    expect(stderr).toContain('put RUNLET_API_KEY into .env');
  });

  it('leaves nothing behind when it is taken down', async () => {
    await compose(['down', '--volumes', '--timeout', '20']);
    const label = `label=com.docker.compose.project=${project}`;
    expect(await docker(lab.dockerHost, 'ps', '--all', '--quiet', '--filter', label)).toBe('');
    expect(await docker(lab.dockerHost, 'volume', 'ls', '--quiet', '--filter', label)).toBe('');
    expect(await docker(lab.dockerHost, 'network', 'ls', '--quiet', '--filter', label)).toBe('');
  });
});
