import { beforeAll, describe, expect, it } from 'vitest';
import type { ContainerId } from '../../../services/worker/engine/containers.ts';
import type { Engine } from '../../../services/worker/engine/engine.ts';
import { sandboxName } from '../../../services/worker/labels.ts';
import { interfaceFor } from '../../../services/worker/network/bridges.ts';
import { createEgress, type Egress } from '../../../services/worker/network/egress.ts';
import { createFirewall } from '../../../services/worker/network/firewall.ts';
import { defaultEgressPool, subnetPool } from '../../../services/worker/network/subnets.ts';
import { bench, containerSpecFor, owner, request, sh } from '../engine/support.ts';
import { type Place, reachedFrom, reachesOnlyTheInternet } from './egress.suite.ts';
import { internet, metadata, otherPrivate, privateResolver, resolver, site } from './internet.ts';

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

async function place(): Promise<Place> {
  const who = owner();
  const network = await egress.open(who);
  const containers: ContainerId[] = [];
  const containerOf = async (script: string) => {
    const asked = request({ command: ['sh', '-c', script], network: 'egress' });
    return containerSpecFor(asked, await image(), who, network);
  };
  return {
    run: async (script) => (await runSpec(await containerOf(script))).stdout,
    async begin(script) {
      const id = await engine.containers.create(await containerOf(script));
      containers.push(id);
      const { output, close } = await engine.containers.attach(id, { stdin: false });
      await engine.containers.start(id);
      await new Promise((resolve) => output.once('data', resolve));
      close();
      return (await engine.containers.inspect(id))?.networks[0]?.address ?? '';
    },
    async end() {
      for (const id of containers) await engine.containers.remove(id);
      await egress.close(who);
    },
  };
}

const reached = (targets: string[]) => reachedFrom(place, targets);

describe('a sandbox with egress', () => {
  reachesOnlyTheInternet(place);

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
