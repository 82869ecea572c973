import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { ContainerId, ContainerState, PortBinding } from '../../../services/worker/engine/containers.ts';
import { labelsFor } from '../../../services/worker/labels.ts';
import { interfaceFor } from '../../../services/worker/network/bridges.ts';
import { defaultEgressPool, subnetPool } from '../../../services/worker/network/subnets.ts';
import { bench, docker, owner, serviceSpecFor } from './support.ts';

const { engine, image, service, runSpec } = bench();
const code = (wanted: string) => expect.objectContaining({ name: 'Problem', code: wanted });
const log = { maxBytes: 1024 * 1024, files: 2 };

async function state(id: ContainerId): Promise<ContainerState> {
  const found = await engine.containers.inspect(id);
  if (found === null) throw new Error('the container is gone');
  return found;
}

/** What the program's log holds, once it holds `wanted`. */
async function says(id: ContainerId, wanted: string): Promise<void> {
  const controller = new AbortController();
  let said = '';
  for await (const { data } of await engine.containers.logs(id, {
    tail: 'all',
    follow: true,
    signal: controller.signal,
  })) {
    said += data;
    if (said.includes(wanted)) return;
  }
  throw new Error(`it ended with: ${said}`);
}

async function listening(port = 0): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

describe('stop', () => {
  it('lets a program end by itself that wants to', async () => {
    const id = await service([
      'sh',
      '-c',
      'trap "echo asked; exit 7" TERM; echo ready; while :; do sleep 0.05; done',
    ]);
    await says(id, 'ready');
    await engine.containers.stop(id, 60_000);
    expect(await state(id)).toMatchObject({ status: 'exited', exitCode: 7 });
    await says(id, 'asked');
  });

  it('kills the one that does not', async () => {
    const id = await service(['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done']);
    await says(id, 'ready');
    await engine.containers.stop(id, 0);
    expect(await state(id)).toMatchObject({ status: 'exited', exitCode: 137 });
  });

  it('is quiet about what does not run, was stopped, or is gone; and it can be started again', async () => {
    const made = serviceSpecFor(await image(), ['sleep', '600']);
    const id = await engine.containers.create(made);
    await engine.containers.stop(id, 0);
    await engine.containers.start(id);
    await Promise.all([engine.containers.stop(id, 0), engine.containers.stop(id, 0)]);
    await engine.containers.stop(id, 0);
    await engine.containers.start(id);
    expect(await state(id)).toMatchObject({ running: true });
    await engine.containers.remove(id);
    await engine.containers.stop(id, 0);
  });

  it('ends with the caller’s reason', async () => {
    const id = await service(['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done']);
    await says(id, 'ready');
    const controller = new AbortController();
    const stopped = engine.containers.stop(id, 600_000, controller.signal);
    controller.abort(new Error('enough'));
    await expect(stopped).rejects.toThrow('enough');
  });
});

describe('the image’s own', () => {
  it('user, work folder and signal are kept where nothing is said', async () => {
    const reference = `runlet-test-own:${process.pid}`;
    const container = docker('create', '--user=33:44', '--workdir=/tmp', '--stop-signal=SIGINT', 'busybox');
    docker('commit', container, reference);
    docker('rm', container);
    onTestFinished(() => void docker('rmi', reference));
    const script =
      'trap "exit 6" INT; trap "" TERM; echo $(id -u):$(id -g) $PWD; while :; do sleep 0.05; done';
    const made = serviceSpecFor(await image(reference), ['sh', '-c', script]);
    const id = await engine.containers.create(made);
    await engine.containers.start(id);
    await says(id, '33:44 /tmp\n');
    await engine.containers.stop(id, 60_000);
    expect(await state(id)).toMatchObject({ exitCode: 6 });
    await engine.containers.remove(id);
  });

  it('files fill a new volume where that is wanted, and what is written there outlives the container', async () => {
    const name = `runlet-test-volume-${process.pid}`;
    const labels = { 'dev.runlet.test': name };
    await engine.volumes.create(name, labels, 2 ** 30);
    await engine.volumes.create(name, { ...labels, other: 'label' }, 2 ** 31);
    expect(await engine.volumes.list({ 'dev.runlet.test': name })).toEqual([
      { name, labels, folder: expect.stringContaining(name) },
    ]);
    onTestFinished(() => engine.volumes.remove(name));

    const mounted = (copy: boolean) => ({ volumes: [{ name, path: '/bin', readOnly: false, copy }] });
    const hidden = serviceSpecFor(await image(), ['/bin/busybox', 'true'], mounted(false));
    await expect(runSpec(hidden)).rejects.toEqual(code('command_not_found'));
    const first = serviceSpecFor(await image(), ['/bin/busybox', 'touch', '/bin/written'], mounted(true));
    expect(await runSpec(first)).toMatchObject({ exitCode: 0 });
    const second = serviceSpecFor(await image(), ['/bin/busybox', 'ls', '/bin/written'], mounted(false));
    expect(await runSpec(second)).toMatchObject({ exitCode: 0, stdout: '/bin/written\n' });
  });
});

describe('ports', () => {
  let network: string;
  beforeAll(async () => {
    const who = owner();
    network = `runlet-test-ports-${process.pid}`;
    const subnet = subnetPool(defaultEgressPool).pick();
    await engine.networks.create({
      ...{ name: network, labels: labelsFor(who), subnet, masquerade: false },
      interfaceName: interfaceFor(network, 'rlt'),
    });
  });
  afterAll(() => engine.networks.remove(network));

  const publishing = (...publish: PortBinding[]) => ({ network, service: { publish, log } });
  const web = ['sh', '-c', 'echo -n served > /tmp/index.html; httpd -f -p 8080 -h /tmp'];
  const any: PortBinding = { containerPort: 8080, hostAddress: '127.0.0.1', hostPort: 0 };

  async function get(address: string, port: number): Promise<string> {
    for (let left = 50; ; left--) {
      const answer = await fetch(`http://${address}:${port}/`).then(
        (response) => response.text(),
        () => '',
      );
      if (answer !== '' || left === 0) return answer;
      await sleep(100);
    }
  }

  it('are published where they should be, and the container tells its address and theirs', async () => {
    const id = await service(web, publishing(any, { ...any, hostAddress: '127.0.0.2' }));
    const found = await state(id);
    const [own, ...others] = found.networks;
    expect(others).toEqual([]);
    expect(own).toEqual({ name: network, address: expect.stringMatching(/^10\.213\.\d+\.\d+$/) });
    expect(found.ports.toSorted((a, b) => (a.hostAddress < b.hostAddress ? -1 : 1))).toEqual(
      ['127.0.0.1', '127.0.0.2'].map((hostAddress) => ({
        ...{ containerPort: 8080, hostAddress, hostPort: expect.any(Number) },
      })),
    );
    for (const { hostAddress, hostPort } of found.ports)
      expect(await get(hostAddress, hostPort)).toBe('served');
    expect(await get(own?.address ?? '', 8080)).toBe('served');

    await engine.containers.stop(id, 0);
    expect(await state(id)).toMatchObject({ networks: [], ports: [] });
  });

  it('that are taken are a conflict at the start, which says so; once free, it starts', async () => {
    const server = await listening();
    const taken = { ...any, hostPort: portOf(server) };
    const made = serviceSpecFor(await image(), web, publishing(taken));
    const id = await engine.containers.create(made);
    onTestFinished(() => engine.containers.remove(id));
    await expect(engine.containers.start(id)).rejects.toEqual(code('conflict'));
    await expect(engine.containers.start(id)).rejects.toThrow(`127.0.0.1:${taken.hostPort} is taken`);
    expect(await state(id)).toMatchObject({ running: false });
    server.close();
    await once(server, 'close');
    await engine.containers.start(id);
    expect(await get('127.0.0.1', taken.hostPort)).toBe('served');

    const other = serviceSpecFor(await image(), web, publishing(taken));
    const second = await engine.containers.create(other);
    await expect(engine.containers.start(second)).rejects.toEqual(code('conflict'));
    await engine.containers.remove(second);
  });
});
