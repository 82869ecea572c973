import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Engine } from '../../../services/worker/engine/engine.ts';
import { sandboxName } from '../../../services/worker/labels.ts';
import { interfaceFor } from '../../../services/worker/network/bridges.ts';
import { createEgress } from '../../../services/worker/network/egress.ts';
import { createFirewall } from '../../../services/worker/network/firewall.ts';
import { egressPrefix, ownPrefix } from '../../../services/worker/network/firewall-rules.ts';
import { createOwnNetworks } from '../../../services/worker/network/own-networks.ts';
import { defaultEgressPool, subnetPool } from '../../../services/worker/network/subnets.ts';
import { connectionsOf, connectionsShown } from '../../hostile/support/network.ts';
import { bench, containerSpecFor, owner, request, sh } from '../engine/support.ts';
import { reachedFrom, reachesOnlyTheInternet } from './egress.suite.ts';
import { internet, metadata, otherPrivate, privateResolver, resolver, site } from './internet.ts';
import { interfaces, namespaces, ownPlaces } from './own-places.ts';

const { firewall } = internet();
const { stateFolder, run, open } = ownPlaces();
const { engine, image, runSpec } = bench();
const resolvers = [resolver, privateResolver];
const parts = { engine, firewall, subnets: subnetPool(defaultEgressPool), resolvers, stateFolder };
const networks = createOwnNetworks(parts);
const place = () => open(networks);
const targets = [`${otherPrivate}:80`, metadata, `${site}:80`];
const reached = () => reachedFrom(place, targets);

// As Docker has it where it has turned forwarding on: what no rule accepts is dropped.
let policy = '';
beforeAll(() => {
  policy = /^-P FORWARD (\w+)/.exec(sh('iptables', '-S', 'FORWARD'))?.[1] ?? '';
  sh('iptables', '-P', 'FORWARD', 'DROP');
});
afterAll(() => void sh('iptables', '-P', 'FORWARD', policy));

/** The rules of a chain that lead to ours, or those of ours. */
const rules = (table: string, chain: string) =>
  sh('iptables', '-t', table, '-S', chain)
    .split('\n')
    .filter((line) => line.startsWith('-A') && line.includes('RUNLET'));

describe('a network without the engine', () => {
  reachesOnlyTheInternet(place);

  it('has an interface and settings as a network of the engine’s has', async () => {
    const settings =
      'ip -o link | sed -n "s/^[0-9]*: \\([a-z0-9]*\\).*/\\1/p"; cd /proc/sys/net; ' +
      'for one in ipv6/conf/all/disable_ipv6 ipv6/conf/default/disable_ipv6 ipv4/ping_group_range ' +
      'ipv4/ip_unprivileged_port_start core/tstamp_allow_data; do echo $one $(cat $one); done';
    const own = await place();
    const said = await own.run(settings).finally(own.end);

    const who = owner();
    const egress = createEgress(parts);
    const asked = request({ command: ['sh', '-c', settings], network: 'egress' });
    const spec = containerSpecFor(asked, await image(), who, await egress.open(who));
    const { stdout } = await runSpec(spec).finally(() => egress.close(who));
    expect(said).toBe(stdout);
  });

  it('goes as a whole, and takes the place of what an earlier try left', async () => {
    const who = owner();
    const first = await networks.open(who);
    const second = await networks.open(who);
    expect(second.namespace).toBe(first.namespace);
    expect(second).toMatchObject({ dns: resolvers, address: expect.stringMatching(/^10\.213\./) });
    expect([namespaces(), interfaces()]).toEqual([
      [sandboxName(who)],
      [interfaceFor(sandboxName(who), ownPrefix)],
    ]);
    await networks.close(who);
    await networks.close(who);
    expect([namespaces(), interfaces()]).toEqual([[], []]);
  });

  it('ends for what still runs in it', async () => {
    const who = owner();
    const { namespace } = await networks.open(who);
    const child = spawn('nsenter', [`--net=${namespace}`, 'sleep', '600'], { stdio: 'ignore' });
    try {
      await networks.close(who);
      expect(interfaces()).toEqual([]);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it.runIf(connectionsShown)('has no more connections than it may, and leaves none', async () => {
    const who = owner();
    const network = await networks.open(who);
    const flood =
      'const socket = () => require("dgram").createSocket("udp4"); let left = 3000; ' +
      `const one = () => { const s = socket(); s.send("x", 9, "${site}", () => { s.close(); if (--left > 0) one(); }); }; one();`;
    await run(network, `'${process.execPath}' -e '${flood}'`);
    const during = connectionsOf(network.address);
    await networks.close(who);
    expect(during).toBeGreaterThan(512);
    expect(during).toBeLessThanOrEqual(1_024);
    expect(connectionsOf(network.address)).toBe(0);
  });
});

describe('its rules', () => {
  it('are put back when another tool has flushed them, before the next network', async () => {
    await networks.unavailable();
    sh('iptables', '-F', 'RUNLET-EGRESS');
    sh('iptables', '-F', 'RUNLET-EGRESS-ACCEPT');
    sh('iptables', '-t', 'nat', '-F', 'POSTROUTING');
    sh('iptables', '-t', 'nat', '-F', 'RUNLET-EGRESS-NAT');
    expect(await reached()).toEqual([`${site}:80`]);
    sh('iptables', '-D', 'FORWARD', '-o', `${ownPrefix}+`, '-j', 'RUNLET-EGRESS-ACCEPT');
    sh('iptables', '-D', 'INPUT', '-i', `${egressPrefix}+`, '-j', 'RUNLET-EGRESS-INPUT');
    expect(await reached()).toEqual([`${site}:80`]);
  });

  it('stand where nothing leads to DOCKER-USER, and return to it', async () => {
    const before = sh('iptables-save', '-t', 'filter');
    sh('iptables', '-F', 'FORWARD');
    try {
      expect(await reached()).toEqual([`${site}:80`]);
      sh('iptables', '-I', 'FORWARD', '-j', 'DOCKER-USER');
      expect(await reached()).toEqual([`${site}:80`]);
      expect(rules('filter', 'FORWARD').map((line) => line.replace(/.* /, ''))).toEqual([
        'RUNLET-EGRESS-ACCEPT',
        'RUNLET-EGRESS-ACCEPT',
      ]);
    } finally {
      const file = `${stateFolder}.rules`;
      writeFileSync(file, before);
      sh('iptables-restore', file);
    }
  });

  it('leave to an operator what containers may not reach', async () => {
    const forbid = ['-d', site, '-j', 'DROP'];
    await networks.unavailable();
    sh('iptables', '-I', 'DOCKER-USER', '5', ...forbid);
    try {
      expect(await reached()).toEqual([]);
    } finally {
      sh('iptables', '-D', 'DOCKER-USER', ...forbid);
    }
  });

  it('are put up once for all pools of this machine’s Runlets', async () => {
    const other = createOwnNetworks({ ...parts, subnets: subnetPool('10.214.9.9/16') });
    await Promise.all([networks.unavailable(), networks.unavailable()]);
    await other.unavailable();
    await networks.unavailable();
    const jump = (pool: string) => `-A POSTROUTING -s ${pool} -j RUNLET-EGRESS-NAT`;
    expect(rules('nat', 'POSTROUTING')).toEqual([jump('10.213.0.0/16'), jump('10.214.0.0/16')]);
    expect(rules('filter', 'FORWARD')).toHaveLength(2);
  });
});

describe('a subnet', () => {
  const refused = expect.objectContaining({
    code: 'egress_unavailable',
    message: expect.stringContaining('no free subnet'),
  });

  it('is one sandbox’s, with and without the engine', async () => {
    const tiny = { ...parts, subnets: subnetPool('10.213.255.248/29') };
    const [own, bridged] = [createOwnNetworks(tiny), createEgress(tiny)];
    const [one, two] = [owner(), owner()];
    await own.open(one);
    await expect(bridged.open(two)).rejects.toEqual(refused);
    await expect(own.open(two)).rejects.toEqual(refused);
    await own.close(one);
    await bridged.open(two);
    await expect(own.open(one)).rejects.toEqual(refused);
    await bridged.close(two);
    expect(await own.left(one.instance)).toEqual([]);
  });

  it('is one sandbox’s where many are made at a time, by several workers', async () => {
    const few = { ...parts, subnets: subnetPool('10.213.255.192/26') };
    const all = Array.from({ length: 6 }, owner);
    const opened = await Promise.all(all.map((who) => createOwnNetworks(few).open(who)));
    expect(new Set(opened.map(({ address }) => address)).size).toBe(6);
    await Promise.all(all.map((who) => networks.close(who)));
  });
});

describe('a subnet that the machine has a use for', () => {
  const own = createOwnNetworks({ ...parts, subnets: subnetPool('10.215.1.0/24') });

  it('is not taken where it is a part of a bridge’s network', async () => {
    sh('ip', 'link', 'add', 'rtbridge', 'type', 'bridge');
    try {
      sh('ip', 'address', 'add', '10.215.0.1/16', 'dev', 'rtbridge');
      sh('ip', 'link', 'set', 'rtbridge', 'up');
      await expect(own.open(owner())).rejects.toMatchObject({ code: 'egress_unavailable' });
    } finally {
      sh('ip', 'link', 'del', 'rtbridge');
    }
  });

  it('is taken where only a wider route leads elsewhere', async () => {
    const [via = ''] = /via \S+/.exec(sh('ip', 'route', 'get', site)) ?? [];
    sh('ip', 'route', 'add', '10.215.0.0/16', ...via.split(' '));
    const who = owner();
    try {
      expect((await own.open(who)).address).toMatch(/^10\.215\.1\./);
      await own.close(who);
    } finally {
      sh('ip', 'route', 'del', '10.215.0.0/16');
    }
  });
});

describe('all networks with egress together', () => {
  it('are no more at a time than the machine’s table has room for, with and without the engine', async () => {
    // There is room for one.
    const small = { ...parts, firewall: createFirewall(resolvers, { tracked: () => 2 * 1_024 }) };
    const own = createOwnNetworks(small);
    const [one, two, three] = [owner(), owner(), owner()];
    await own.open(one);
    const overloaded = expect.objectContaining({ code: 'overloaded' });
    await expect(createEgress({ ...small, patienceMs: 300 }).open(two)).rejects.toEqual(overloaded);
    await expect(createOwnNetworks({ ...small, patienceMs: 300 }).open(two)).rejects.toEqual(overloaded);
    const gone = new AbortController();
    const left = own.open(two, gone.signal);
    gone.abort(new Error('cancelled'));
    await expect(left).rejects.toThrow('cancelled');
    const later = own.open(three);
    expect((await own.left(one.instance)).map(({ owner: whose }) => whose)).toEqual([one]);
    await own.close(one);
    await later;
    expect(interfaces()).toEqual([interfaceFor(sandboxName(three), ownPrefix)]);
    await own.close(three);
    await firewall.ensure();
  });
});

it('A worker that is killed leaves nothing that its successor does not find and remove', async () => {
  const program = fileURLToPath(new URL('open-until-killed.ts', import.meta.url));
  const { instance } = owner();
  for (let round = 0; round < 8; round++) {
    const owners = Array.from({ length: 20 }, owner);
    const args = [program, inject('lab').dockerHost, stateFolder, JSON.stringify(resolvers)];
    const worker = spawn(process.execPath, [...args, JSON.stringify(owners)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => worker.stdout.once('data', resolve));
    // At another moment of the making each time.
    await sleep(round * 23);
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.kill('SIGKILL');
    await ended;
    const left = await networks.left(instance);
    const named = left.map(({ name }) => name);
    expect(owners.map(sandboxName)).toEqual(expect.arrayContaining(named));
    expect(named).toEqual(expect.arrayContaining(namespaces()));
    expect(await networks.left('another')).toEqual([]);
    for (const one of left) await one.remove();
    for (const one of left) await one.remove();
    // What the worker had begun goes on without it for a moment.
    await expect.poll(() => [namespaces(), interfaces(), scriptsOf(stateFolder)]).toEqual([[], [], []]);
    expect(await networks.left(instance)).toEqual([]);
  }
});

/** The scripts that make networks with records in this folder. */
function scriptsOf(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${folder}/`);
    } catch {
      return false;
    }
  });
}

describe('It is refused', () => {
  const refused = (words: RegExp) =>
    expect.objectContaining({ code: 'egress_unavailable', message: expect.stringMatching(words) });

  it('when the firewall cannot be put up, or there is no resolver', async () => {
    const ensure = () => Promise.reject(new Error('iptables cannot be run: no such file'));
    const without = createOwnNetworks({ ...parts, firewall: { ...firewall, ensure } });
    await expect(without.open(owner())).rejects.toEqual(refused(/iptables/));
    const mute = createOwnNetworks({ ...parts, resolvers: [] });
    await expect(mute.open(owner())).rejects.toEqual(refused(/RUNLET_EGRESS_DNS/));
  });

  it('when the engine is on another machine, or in another network namespace', async () => {
    const far: Engine = { ...engine, local: false };
    expect(await createOwnNetworks({ ...parts, engine: far }).unavailable()).toContain('another machine');
    const away = { id: 'x', name: 'bridge', labels: {}, createdAt: '', subnet: '10.77.0.0/16' };
    const elsewhere: Engine = { ...engine, networks: { ...engine.networks, list: async () => [away] } };
    expect(await createOwnNetworks({ ...parts, engine: elsewhere }).unavailable()).toContain('namespace');
  });

  it('when the machine does not forward packets', async () => {
    const forwarding = '/proc/sys/net/ipv4/ip_forward';
    expect(await networks.unavailable()).toBeNull();
    writeFileSync(forwarding, '0');
    try {
      await expect(networks.open(owner())).rejects.toEqual(refused(/net\.ipv4\.ip_forward/));
    } finally {
      writeFileSync(forwarding, '1');
    }
    expect(await networks.unavailable()).toBeNull();
  });
});
