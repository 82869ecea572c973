import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEgress, type Egress } from '../../services/worker/network/egress.ts';
import { defaultEgressPool, subnetPool } from '../../services/worker/network/subnets.ts';
import {
  get,
  internet,
  otherPrivate,
  privateResolver,
  resolver,
  silentSite,
  site,
} from '../worker/engine/internet.ts';
import { bench, containerSpecFor, owner, probeImage, request } from '../worker/engine/support.ts';
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

/** How many connections the table has of a sandbox that tries to open 20,000; and after it is gone. */
async function flood(kind: string, target: string) {
  const who = owner();
  const network = await egress.open(who);
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
    const neighbour = await reaches(`${site}:80`);
    await engine.containers.remove(id);
    await egress.close(who);
    return { said, during, neighbour, after: connectionsOf(address) };
  } finally {
    await engine.containers.remove(id);
    await egress.close(who);
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
