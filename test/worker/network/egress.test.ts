import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../../services/worker/engine/engine.ts';
import { type SandboxOwner, sandboxName } from '../../../services/worker/labels.ts';
import { interfaceFor } from '../../../services/worker/network/bridges.ts';
import { createEgress, type Egress } from '../../../services/worker/network/egress.ts';
import { createFirewall } from '../../../services/worker/network/firewall.ts';
import { defaultEgressPool, subnetPool } from '../../../services/worker/network/subnets.ts';
import { bench, containerSpecFor, owner, request, sh } from '../engine/support.ts';
import {
  answered,
  forbidden,
  get,
  internet,
  ip,
  local,
  metadata,
  namespace,
  otherPrivate,
  ownAddress,
  privateResolver,
  reachable,
  resolver,
  site,
  tries,
} from './internet.ts';

const { firewall } = internet();
const { engine, image, runSpec } = bench();
let egress: Egress;

beforeAll(() => {
  egress = createEgress({
    engine,
    firewall,
    subnets: subnetPool(defaultEgressPool),
    resolvers: [resolver, privateResolver],
  });
});

/** Which of the targets (`address:port`) a sandbox with egress reaches. */
async function reached(targets: string[], who: SandboxOwner = owner()): Promise<string[]> {
  const command = ['sh', '-c', tries(targets)];
  const network = await egress.open(who);
  try {
    const spec = containerSpecFor(request({ command, network: 'egress' }), await image(), who, network);
    const { stdout } = await runSpec(spec);
    return answered(stdout);
  } finally {
    await egress.close(who);
  }
}

describe('a sandbox with egress', () => {
  it('reaches a public address, and none that is private, link-local or this machine’s', async () => {
    for (const target of forbidden) await reachable(target);
    expect(await reached([`${site}:80`, ...forbidden, ...local])).toEqual([`${site}:80`]);
  });

  it('reaches its own gateway on no port', async () => {
    const who = owner();
    const network = await egress.open(who);
    const script =
      'gateway=$(ip route | sed -n "s/default via \\([0-9.]*\\).*/\\1/p"); echo "$gateway"; ' +
      `${get('$gateway:8099')}; true`;
    const spec = containerSpecFor(
      request({ command: ['sh', '-c', script], network: 'egress' }),
      await image(),
      who,
      network,
    );
    const { stdout } = await runSpec(spec);
    await egress.close(who);
    expect(stdout).toMatch(/^10\.213\.\d+\.\d+\n$/);
  });

  it('reaches the port 53 of its resolvers, also of a private one, and no other of their ports', async () => {
    const targets = [`${privateResolver}:53`, `${privateResolver}:80`, `${otherPrivate}:53`];
    expect(await reached(targets)).toEqual([`${privateResolver}:53`]);
  });

  it('is reached by no other, nor from this machine’s networks', async () => {
    const [one, two] = [owner(), owner()];
    const networks = [await egress.open(one), await egress.open(two)];
    const own = get('$(hostname -i):8080');
    const web = `echo -n reached > /work/index.html; httpd -p 8080 -h /work; until ${own} | grep reached; do sleep 0.1; done; sleep 600`;
    const asked = request({ command: ['sh', '-c', web], network: 'egress' });
    const id = await engine.containers.create(containerSpecFor(asked, await image(), one, networks[0]));
    const { output, close } = await engine.containers.attach(id, { stdin: false });
    await engine.containers.start(id);
    await new Promise((resolve) => output.once('data', resolve));
    close();
    const address = (await engine.containers.inspect(id))?.networks[0]?.address;
    // Without the engine's own rules, as an operator's rule may have it, ours still hold.
    sh('iptables', '-I', 'DOCKER-USER', '3', '-j', 'ACCEPT');
    try {
      const asking = request({
        command: ['sh', '-c', `${get(`${address}:8080`)}; true`],
        network: 'egress',
      });
      const other = containerSpecFor(asking, await image(), two, networks[1]);
      expect((await runSpec(other)).stdout).toBe('');
      // From "the internet", as someone on the worker's own network segment might try.
      ip('-n', namespace, 'route', 'add', `${address}/32`, 'via', ownAddress);
      const neighbour = `${get(`${address}:8080`)}; true`.replace('| nc ', '| busybox nc ');
      expect(sh('ip', 'netns', 'exec', namespace, 'sh', '-c', neighbour)).toBe('');
    } finally {
      sh('iptables', '-D', 'DOCKER-USER', '-j', 'ACCEPT');
    }
    await engine.containers.remove(id);
    await egress.close(one);
    await egress.close(two);
  });

  it('has a bridge of its own that goes with it', async () => {
    const who = owner();
    await egress.open(who);
    expect(sh('ip', '-o', 'link', 'show', interfaceFor(sandboxName(who), 'rle'))).toContain('rle');
    // What an earlier try of the same attempt left is replaced.
    await egress.open(who);
    await egress.close(who);
    await egress.close(who);
    expect(sh('ip', '-o', 'link')).not.toContain(interfaceFor(sandboxName(who), 'rle'));
  });
});

describe('the firewall', () => {
  const targets = [`${otherPrivate}:80`, metadata, `${site}:80`];

  it('puts back what another tool has flushed, before the next sandbox', async () => {
    await firewall.ensure();
    sh('iptables', '-F', 'RUNLET-EGRESS');
    sh('iptables', '-D', 'INPUT', '-i', 'rle+', '-j', 'RUNLET-EGRESS-INPUT');
    expect(await reached(targets)).toEqual([`${site}:80`]);
  });

  it('goes before a rule that another tool has put before it', async () => {
    await firewall.ensure();
    sh('iptables', '-I', 'DOCKER-USER', '-j', 'ACCEPT');
    sh('iptables', '-I', 'INPUT', '-j', 'ACCEPT');
    try {
      expect(await reached(targets)).toEqual([`${site}:80`]);
    } finally {
      sh('iptables', '-D', 'DOCKER-USER', '-j', 'ACCEPT');
      sh('iptables', '-D', 'INPUT', '-j', 'ACCEPT');
    }
  });

  it('is put up once, however often and however many at a time', async () => {
    await Promise.all([
      firewall.ensure(),
      firewall.ensure(),
      createFirewall([resolver, privateResolver]).ensure(),
    ]);
    const hooks = sh('iptables', '-S')
      .split('\n')
      .filter((line) => line.endsWith('-j RUNLET-EGRESS'));
    expect(hooks.length).toBe(4);
  });

  it('stands without the bounds that the kernel has no match for, and says which hold', async () => {
    // Numbers that no match takes stand for a match that is not there.
    const impossible = { connections: 2 ** 40, callers: [2 ** 40] };
    const wholly = createFirewall([resolver, privateResolver]);
    try {
      for (const lacks of ['connections', 'callers'] as const) {
        const bounds = { connections: 512, callers: [0], [lacks]: impossible[lacks] };
        const partly = createFirewall([resolver, privateResolver], { bounds });
        await partly.ensure();
        expect(partly.bounds()).toEqual({ ...bounds, [lacks]: null });
      }
      expect(await reached(targets)).toEqual([`${site}:80`]);
    } finally {
      await wholly.ensure();
    }
    expect(wholly.bounds()).toEqual({ connections: 1_024, callers: [0] });
  });

  it('takes only resolvers that are IPv4 addresses', () => {
    expect(() => createFirewall(['8.8.8.8; rm -rf /'])).toThrow('not an IPv4 address');
  });
});

describe('egress is refused', () => {
  const parts = { engine, firewall, subnets: subnetPool(defaultEgressPool), resolvers: [resolver] };
  const refused = (words: RegExp) =>
    expect.objectContaining({ code: 'egress_unavailable', message: expect.stringMatching(words) });

  it('when the firewall cannot be put up', async () => {
    const ensure = () => Promise.reject(new Error('iptables cannot be run: no such file'));
    const without = createEgress({ ...parts, firewall: { ...firewall, ensure } });
    expect(await without.unavailable()).toContain('iptables');
    await expect(without.open(owner())).rejects.toEqual(refused(/iptables/));
  });

  it('when the engine is elsewhere, or there is no resolver', async () => {
    const far: Engine = { ...engine, local: false };
    await expect(createEgress({ ...parts, engine: far }).open(owner())).rejects.toEqual(
      refused(/another machine/),
    );
    await expect(createEgress({ ...parts, resolvers: [] }).open(owner())).rejects.toEqual(
      refused(/RUNLET_EGRESS_DNS/),
    );
  });

  it('when the bridge is not in the worker’s own network namespace', async () => {
    const elsewhere: Engine = {
      ...engine,
      networks: { ...engine.networks, create: async () => 'made elsewhere' },
    };
    await expect(createEgress({ ...parts, engine: elsewhere }).open(owner())).rejects.toEqual(
      refused(/namespace/),
    );
  });

  it('when the pool is used up', async () => {
    const tiny = createEgress({ ...parts, subnets: subnetPool('10.213.255.248/29') });
    const [one, two] = [owner(), owner()];
    await tiny.open(one);
    await expect(tiny.open(two)).rejects.toEqual(refused(/no free subnet/));
    await tiny.close(one);
    await tiny.open(two);
    await tiny.close(two);
  });
});
