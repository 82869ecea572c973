import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEgress, type Egress } from '../../services/worker/network/egress.ts';
import { createFirewall } from '../../services/worker/network/firewall.ts';
import { egressPrefix } from '../../services/worker/network/firewall-rules.ts';
import { defaultEgressPool, subnetPool } from '../../services/worker/network/subnets.ts';
import { bench, containerSpecFor, owner, probeImage, request } from '../worker/engine/support.ts';
import {
  get,
  internet,
  otherPrivate,
  privateResolver,
  resolver,
  silentSite,
  site,
} from '../worker/network/internet.ts';
import { connectionsOf, connectionsShown } from './support/network.ts';

// The table of connections is the whole machine's: full, nobody on it opens one any more.
const { firewall } = internet();
const { engine, image, runSpec } = bench();
const most = 1024;
const tried = 20_000;
let probe: ReturnType<typeof probeImage>;
let egress: Egress;

beforeAll(() => {
  probe = probeImage('flood');
  egress = createEgress({
    engine,
    firewall,
    subnets: subnetPool(defaultEgressPool),
    resolvers: [resolver, privateResolver],
  });
});
afterAll(() => probe.remove());

/** As `egress`, where the machine keeps track of so few connections that it is room for two sandboxes, and for few new ones each second. */
const tracked = 2 * 2 * most;
const small = createFirewall([resolver, privateResolver], { tracked: () => tracked });
const few = (patienceMs?: number) =>
  createEgress({
    engine,
    firewall: small,
    subnets: subnetPool(defaultEgressPool),
    resolvers: [resolver, privateResolver],
    ...(patienceMs !== undefined && { patienceMs }),
  });

/** How many connections the table has of a sandbox that tries to open 20,000; and after it is gone. */
async function flood(kind: string, target: string, by = egress) {
  const who = owner();
  const network = await by.open(who);
  const asked = request({
    image: probe.reference,
    command: [kind, target, String(tried)],
    network: 'egress',
  });
  const id = await engine.containers.create(
    containerSpecFor(asked, await image(probe.reference), who, network),
  );
  try {
    const { output } = await engine.containers.attach(id, { stdin: false });
    await engine.containers.start(id);
    let said = '';
    for await (const { data } of output) {
      said += data.toString();
      if (said.includes('\n')) break;
    }
    const address = (await engine.containers.inspect(id))?.networks[0]?.address ?? '';
    const during = connectionsOf(address);
    const neighbour = by === egress ? await reaches(`${site}:80`) : undefined;
    await engine.containers.remove(id);
    await by.close(who);
    return { said, during, neighbour, after: connectionsOf(address) };
  } finally {
    await engine.containers.remove(id);
    await by.close(who);
  }
}

/** What another sandbox gets from there meanwhile. */
async function reaches(target: string): Promise<string> {
  const who = owner();
  const network = await egress.open(who);
  const asked = request({ command: ['sh', '-c', get(target)], network: 'egress' });
  const { stdout } = await runSpec(containerSpecFor(asked, await image(), who, network));
  await egress.close(who);
  return stdout;
}

// (There are no others than of TCP and UDP: seccomp lets a program open no other socket to the internet.)
describe.runIf(connectionsShown)('a run with egress that opens all the connections it can', () => {
  it.each([
    ['udp', site],
    ['dns', resolver],
    ['dns', privateResolver],
    ['tcp', silentSite],
  ])('%s to %s: has as many as it may, and no neighbour notices', async (kind, target) => {
    const { said, during, neighbour, after } = await flood(kind, target);
    expect(said).toBe(`tried ${tried}\n`);
    expect(neighbour).toContain('reached');
    expect(during).toBeGreaterThan(most / 2);
    expect(during).toBeLessThanOrEqual(most);
    expect(after).toBe(0);
  });

  it('has none to where it must not go', async () => {
    expect(await flood('udp', otherPrivate)).toMatchObject({ during: 0, after: 0 });
  });
});

describe('all runs and services with egress together', () => {
  afterAll(() => firewall.ensure());

  const bridges = () => readdirSync('/sys/class/net').filter((name) => name.startsWith(egressPrefix));

  it('are no more at a time than the machine’s table has room for; the next one waits for its turn', async () => {
    const [one, two, three, four] = [owner(), owner(), owner(), owner()];
    const patient = few();
    const opened: string[] = [];
    await Promise.all([patient.open(one), patient.open(two)]);
    expect(bridges()).toHaveLength(2);
    const later = patient.open(three).then(() => opened.push('three'));
    // Two of several workers, and one that gives up.
    await expect(few(600).open(four)).rejects.toMatchObject({
      code: 'overloaded',
      message: expect.stringContaining('2 runs and services with egress'),
    });
    const leaves = new AbortController();
    const left = few().open(four, leaves.signal);
    leaves.abort(new Error('cancelled'));
    await expect(left).rejects.toThrow('cancelled');
    expect([opened, bridges().length]).toEqual([[], 2]);
    await patient.close(one);
    await later;
    expect(bridges()).toHaveLength(2);
    await Promise.all([patient.close(two), patient.close(three)]);
    expect(bridges()).toEqual([]);
  });

  it('are no more either where several look at once', async () => {
    const all = Array.from({ length: 6 }, owner);
    let open = 0;
    const seen: number[] = [];
    await Promise.all(
      all.map(async (who) => {
        const egress = few();
        await egress.open(who);
        seen.push(++open);
        await egress.unavailable();
        open -= 1;
        await egress.close(who);
      }),
    );
    expect(seen).toHaveLength(6);
    expect(Math.max(...seen)).toBeLessThanOrEqual(2);
    expect(bridges()).toEqual([]);
  });

  it.runIf(connectionsShown)(
    'open few anew each second, whoever they are: those that are closed stay for minutes',
    async () => {
      // A quarter of the table over what they stay for, and eight seconds of it at the start.
      const perSecond = tracked / 4 / 128;
      const began = performance.now();
      const { said, during, after } = await flood('udp', site, few());
      const seconds = (performance.now() - began) / 1000;
      expect(said).toBe(`tried ${tried}\n`);
      expect(during).toBeGreaterThanOrEqual(perSecond * 8);
      expect(during).toBeLessThanOrEqual(perSecond * (8 + seconds));
      expect(during).toBeLessThan(most / 2);
      expect(after).toBe(0);
    },
  );
});
