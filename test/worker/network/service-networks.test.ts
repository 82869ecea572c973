import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { PortBinding } from '../../../services/worker/engine/containers.ts';
import type { Engine } from '../../../services/worker/engine/engine.ts';
import { labelNames, ownerFrom, serviceName } from '../../../services/worker/labels.ts';
import { interfaceFor } from '../../../services/worker/network/bridges.ts';
import { createEgress } from '../../../services/worker/network/egress.ts';
import {
  createServiceNetworks,
  type ServiceNetworks,
} from '../../../services/worker/network/service-networks.ts';
import { defaultEgressPool, subnetPool } from '../../../services/worker/network/subnets.ts';
import { bench, collect, containerSpecFor, docker, owner, request, sh } from '../engine/support.ts';
import {
  answered,
  forbidden,
  internet,
  ip,
  local,
  metadata,
  namespace,
  otherPrivate,
  outerLink,
  ownAddress,
  privateResolver,
  reachable,
  resolver,
  site,
  tries,
} from './internet.ts';

const { firewall } = internet();
const { engine, image, service, runSpec } = bench();
const resolvers = [resolver, privateResolver];
const parts = { engine, firewall, subnets: subnetPool(defaultEgressPool), resolvers };
const networks = createServiceNetworks(parts);
const log = { maxBytes: 1024 * 1024, files: 2 };

const newOwner = (changes: object = {}) => {
  const { tenant, worker, instance } = owner();
  const id = `svc_${randomUUID().replaceAll('-', '')}`;
  return { service: id, tenant, worker, instance, ...changes };
};

async function open(kind: 'none' | 'egress', whose = newOwner()) {
  onTestFinished(() => networks.close(whose.service));
  return { ...(await networks.open(whose, kind)), owner: whose };
}

/** A web server in a network of its own, with what it can be reached by. */
async function web(kind: 'none' | 'egress', publish: PortBinding[] = []) {
  const { name, dns } = await open(kind);
  const serving = ['sh', '-c', 'echo -n reached > /tmp/index.html; httpd -f -p 8080 -h /tmp'];
  const id = await service(serving, { network: name, dns, service: { publish, log } });
  const state = await engine.containers.inspect(id);
  const address = state?.networks[0]?.address ?? '';
  await reachable(`${address}:8080`);
  return { id, address, ports: state?.ports ?? [] };
}

/** What a program in the container says. */
async function within(id: string, script: string): Promise<string> {
  const { output } = await engine.containers.exec(id, {
    argv: ['sh', '-c', script],
    user: '',
    workdir: '',
    env: {},
  });
  return (await collect(output)).stdout.toString();
}

/** Which of the targets somebody on "the internet" reaches, from that address of theirs. */
function fromOutside(targets: string[], address: string): string[] {
  const hosts = new Set(targets.map((target) => target.replace(/:.*/, '')));
  for (const host of hosts) {
    const via = host === ownAddress ? [] : ['via', ownAddress];
    ip('-n', namespace, 'route', 'replace', `${host}/32`, ...via, 'dev', outerLink, 'src', address);
  }
  const script = tries(targets).replaceAll('| nc ', '| busybox nc ');
  return answered(sh('ip', 'netns', 'exec', namespace, 'sh', '-c', script));
}

const anyPort = (hostAddress: string): PortBinding => ({ containerPort: 8080, hostAddress, hostPort: 0 });

describe.each([
  { kind: 'egress', reaches: [`${privateResolver}:53`, `${site}:80`] },
  { kind: 'none', reaches: [] },
] as const)('a service with network "$kind"', ({ kind, reaches }) => {
  it('reaches what it may, and nothing else: no private address, none of this machine, no other container', async () => {
    const published = [anyPort('127.0.0.1'), anyPort(ownAddress)];
    const [one, two, three] = [await web(kind), await web('none', published), await web('egress', published)];
    const gateway = one.address.replace(/\d+$/, (last) => String(Number(last) - 1));
    const others = [two, three].flatMap(({ address, ports }) => [
      `${address}:8080`,
      ...ports.map(({ hostPort }) => `${ownAddress}:${hostPort}`),
      ...ports.map(({ hostPort }) => `${gateway}:${hostPort}`),
    ]);
    const targets = [
      ...[`${site}:80`, `${privateResolver}:53`, `${otherPrivate}:53`, `${gateway}:8099`],
      ...[...forbidden, ...local, ...others],
    ];
    expect(answered(await within(one.id, tries(targets)))).toEqual(reaches);
  });

  it('is reached from this machine, and from elsewhere only by the ports that it publishes', async () => {
    const { address, ports } = await web(kind, [anyPort('127.0.0.1'), anyPort(ownAddress)]);
    const [own, outer] = ['127.0.0.1', ownAddress].map((host) => {
      const found = ports.find(({ hostAddress }) => hostAddress === host);
      return `${host}:${found?.hostPort}`;
    }) as [string, string];
    for (const target of [`${address}:8080`, own, outer]) await reachable(target);
    // Also by somebody whose address is a private one: answers go where they were asked.
    for (const from of [site, otherPrivate])
      expect(fromOutside([`${address}:8080`, outer], from)).toEqual([outer]);
  });

  it('is not reached by a run with egress, by its address nor by its ports', async () => {
    const { address, ports } = await web(kind, [anyPort(ownAddress)]);
    const targets = [`${address}:8080`, `${ownAddress}:${ports[0]?.hostPort}`, `${site}:80`];
    const egress = createEgress(parts);
    const who = owner();
    const network = await egress.open(who);
    onTestFinished(() => egress.close(who));
    const asked = request({ command: ['sh', '-c', tries(targets)], network: 'egress' });
    const { stdout } = await runSpec(containerSpecFor(asked, await image(), who, network));
    expect(answered(stdout)).toEqual([`${site}:80`]);
  });

  it('keeps its network while it is the right one', async () => {
    const whose = newOwner();
    const find = () => engine.networks.list({ [labelNames.service]: whose.service });
    const { name } = await open(kind, whose);
    const found = await find();
    expect(found).toMatchObject([{ name }]);
    expect(ownerFrom(name, found[0]?.labels ?? {})).toEqual({ of: 'service', owner: whose });
    const masquerade = '{{index .Options "com.docker.network.bridge.enable_ip_masquerade"}}';
    expect(docker('network', 'inspect', '-f', masquerade, name)).toBe(String(kind === 'egress'));
    await createServiceNetworks(parts).open(whose, kind);
    expect(await find()).toEqual(found);

    const other = kind === 'none' ? 'egress' : 'none';
    await networks.open(whose, other);
    const replaced = await find();
    expect(replaced).toMatchObject([{ name }]);
    expect(replaced[0]?.id).not.toBe(found[0]?.id);
    await networks.open({ ...whose, worker: 'another' }, other);
    expect((await find())[0]?.labels).toMatchObject({ [labelNames.worker]: 'another' });
    await networks.close(whose.service);
    await networks.close(whose.service);
    expect(await find()).toEqual([]);
    expect(sh('ip', '-o', 'link')).not.toContain(interfaceFor(name, ''));
  });
});

describe('names', () => {
  it('are asked of the resolvers with egress, and of nobody without', async () => {
    expect((await open('egress')).dns).toEqual(resolvers);
    const { dns, name } = await open('none');
    expect(dns).toEqual(['127.0.0.1']);
    const id = await service(['sleep', '600'], { network: name, dns });
    expect(await within(id, 'cat /etc/resolv.conf')).toMatch(/^options .*timeout:1 attempts:1/m);
    // Docker asks at the container's own loopback, as somebody there can tell.
    const listen =
      'const socket = require("node:dgram").createSocket("udp4").bind(53, "127.0.0.1", () => console.log("ready"));' +
      'socket.once("message", () => { console.log("asked"); socket.close(); });';
    const pid = docker('inspect', '-f', '{{.State.Pid}}', id);
    const [command, ...args] = [...'nsenter --net -t'.split(' '), pid, process.execPath, '-e', listen];
    const listener = spawn(command ?? '', args);
    await once(listener.stdout, 'data');
    const said = text(listener.stdout);
    expect(await within(id, 'nslookup example.com')).not.toMatch(/^Name:/m);
    expect(await said).toBe('asked\n');
  });
});

describe('the firewall of services', () => {
  it('is put back by a look at it, while they live', async () => {
    const { id, address } = await web('none');
    sh('iptables', '-F', 'RUNLET-EGRESS');
    sh('iptables', '-F', 'RUNLET-EGRESS-INPUT');
    sh('iptables', '-I', 'DOCKER-USER', '-j', 'ACCEPT');
    sh('iptables', '-I', 'INPUT', '-j', 'ACCEPT');
    try {
      const targets = [`${site}:80`, metadata];
      expect(answered(await within(id, tries(targets)))).toContain(metadata);
      expect(await networks.unavailable()).toBeNull();
      expect(answered(await within(id, tries(targets)))).toEqual([]);
      await reachable(`${address}:8080`);
    } finally {
      sh('iptables', '-D', 'DOCKER-USER', '-j', 'ACCEPT');
      sh('iptables', '-D', 'INPUT', '-j', 'ACCEPT');
    }
  });
});

describe('networks of services are refused', () => {
  const refused = (words: RegExp) =>
    expect.objectContaining({ code: 'egress_unavailable', message: expect.stringMatching(words) });

  it('when the firewall cannot be put up, or the engine is elsewhere', async () => {
    const ensure = () => Promise.reject(new Error('iptables cannot be run: no such file'));
    const without = createServiceNetworks({ ...parts, firewall: { ...firewall, ensure } });
    expect(await without.unavailable()).toContain('iptables');
    await expect(without.open(newOwner(), 'none')).rejects.toEqual(refused(/iptables/));
    const far: Engine = { ...engine, local: false };
    await expect(createServiceNetworks({ ...parts, engine: far }).open(newOwner(), 'none')).rejects.toEqual(
      refused(/another machine/),
    );
  });

  it('with egress, when there is no resolver', async () => {
    const whose = newOwner();
    const without: ServiceNetworks = createServiceNetworks({ ...parts, resolvers: [] });
    await expect(without.open(whose, 'egress')).rejects.toEqual(refused(/RUNLET_EGRESS_DNS/));
    expect(await without.open(whose, 'none')).toMatchObject({ name: serviceName(whose.service) });
    await without.close(whose.service);
  });
});
