import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../services/worker/engine/engine.ts';
import { createEgress, type Egress, interfaceFor } from '../../services/worker/sandbox/egress.ts';
import { createFirewall } from '../../services/worker/sandbox/firewall.ts';
import { type SandboxOwner, sandboxName } from '../../services/worker/sandbox/labels.ts';
import { defaultEgressPool, subnetPool } from '../../services/worker/sandbox/subnets.ts';
import { bench, containerSpecFor, docker, owner, policy, request, sh } from './support.ts';

/**
 * "The internet" is a network namespace behind a veth pair, with global addresses that a route of this machine leads
 * into it: no packet leaves. The forbidden addresses are put there too, or on this machine's own loopback: so each
 * is there to be reached, and only the firewall is in the way.
 */
const namespace = `rletest${process.pid}`;
const outside = { link: `rlo${process.pid}`, address: '203.0.114.9' };
const inside = { link: `rli${process.pid}`, address: '203.0.114.10' };
const site = '203.0.115.1';
const resolver = '203.0.115.53';
const privateResolver = '10.99.99.53';
const otherPrivate = '10.99.99.54';
const behind = [
  site,
  resolver,
  privateResolver,
  otherPrivate,
  '100.100.100.200',
  '172.31.9.9',
  '192.168.99.99',
  '198.18.0.9',
  '168.63.129.16',
];
const onLoopback = ['169.254.169.254', '192.0.2.77'];

let rulesBefore: string;
beforeAll(() => {
  rulesBefore = allRules();
});
// Hooks run last in, first out: this one looks when bench() has removed what is left.
afterAll(() => expect(allRules()).toBe(rulesBefore));

const { engine, image, runSpec } = bench();
const ip = (...args: string[]) => sh('ip', ...args);
const children: ChildProcess[] = [];
let folder: string;
let egress: Egress;
const firewall = createFirewall([resolver, privateResolver]);

/** Of ours, and of our networks; others on this machine have theirs, and change them. */
function allRules(): string {
  const lines = [sh('iptables', '-S'), sh('ip6tables', '-S')].join('\n').split('\n');
  return lines.filter((line) => /rle|RUNLET/.test(line)).join('\n');
}

function serve(program: string[], prefix: string[] = []): void {
  const [command = '', ...args] = [...prefix, ...program];
  children.push(spawn(command, args, { stdio: 'ignore' }));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-egress-'));
  writeFileSync(join(folder, 'index.html'), 'reached');
  ip('netns', 'add', namespace);
  ip('link', 'add', outside.link, 'type', 'veth', 'peer', 'name', inside.link, 'netns', namespace);
  ip('addr', 'add', `${outside.address}/30`, 'dev', outside.link);
  ip('link', 'set', outside.link, 'up');
  ip('-n', namespace, 'addr', 'add', `${inside.address}/30`, 'dev', inside.link);
  ip('-n', namespace, 'link', 'set', inside.link, 'up');
  ip('-n', namespace, 'link', 'set', 'lo', 'up');
  for (const address of behind) {
    ip('-n', namespace, 'addr', 'add', `${address}/32`, 'dev', 'lo');
    ip('route', 'add', `${address}/32`, 'via', inside.address, 'dev', outside.link);
  }
  for (const address of onLoopback) ip('addr', 'add', `${address}/32`, 'dev', 'lo');
  const within = ['ip', 'netns', 'exec', namespace];
  const web = (port: string) => ['busybox', 'httpd', '-f', '-p', `0.0.0.0:${port}`, '-h', folder];
  serve(web('80'), within);
  serve(web('53'), within);
  serve(web('8099'));
  await reachable(`${site}:80`);
  await reachable(`${onLoopback[0]}:8099`);
  egress = createEgress({
    engine,
    firewall,
    subnets: subnetPool(defaultEgressPool),
    resolvers: [resolver, privateResolver],
  });
});

afterAll(async () => {
  await firewall.remove();
  const closed = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(closed);
  for (const address of onLoopback) ip('addr', 'del', `${address}/32`, 'dev', 'lo');
  ip('link', 'del', outside.link);
  ip('netns', 'del', namespace);
  rmSync(folder, { recursive: true });
});

/** From this machine itself: the test's own proof that someone answers there. */
async function reachable(target: string): Promise<void> {
  for (let left = 50; ; left--) {
    const answer = await fetch(`http://${target}/`, { signal: AbortSignal.timeout(2000) })
      .then((response) => response.text())
      .catch(() => '');
    if (answer === 'reached') return;
    if (left === 0) throw new Error(`nobody answers at ${target}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Debian's static busybox has a wget that crashes outside of Debian, without any sandbox too. */
function get(target: string): string {
  return `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 ${target.replace(':', ' ')} 2>/dev/null`;
}

/** Which of the targets (`address:port`) a sandbox with egress reaches. */
async function reached(targets: string[], who: SandboxOwner = owner()): Promise<string[]> {
  const tries = targets.map((target) => `${get(target)} | grep -q reached && echo ${target} &`);
  const command = ['sh', '-c', `${tries.join('\n')}\nwait`];
  const network = await egress.open(who);
  try {
    const spec = containerSpecFor(
      request({ command, network: 'egress' }),
      await image(),
      who,
      policy,
      network,
    );
    const { stdout } = await runSpec(spec);
    return stdout
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  } finally {
    await egress.close(who);
  }
}

describe('a sandbox with egress', () => {
  it('reaches a public address, and none that is private, link-local or this machine’s', async () => {
    const forbidden = behind
      .filter((address) => ![site, resolver].includes(address))
      .map((address) => `${address}:80`);
    for (const target of forbidden) await reachable(target);
    const local = [...onLoopback, outside.address, '127.0.0.1', '172.17.0.1'].map(
      (address) => `${address}:8099`,
    );
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
      policy,
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
    // This machine cannot look either, as the answers would come in from the bridge: the sandbox says it itself.
    const own = get('$(hostname -i):8080');
    const web = `echo -n reached > /work/index.html; httpd -p 8080 -h /work; until ${own} | grep reached; do sleep 0.1; done; sleep 600`;
    const asked = request({ command: ['sh', '-c', web], network: 'egress' });
    const id = await engine.create(containerSpecFor(asked, await image(), one, policy, networks[0]));
    const { output, close } = await engine.attach(id, { stdin: false });
    await engine.start(id);
    await new Promise((resolve) => output.once('data', resolve));
    close();
    const address = docker('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', id);
    // Without the engine's own rules, as an operator's rule may have it, ours still hold.
    sh('iptables', '-I', 'DOCKER-USER', '3', '-j', 'ACCEPT');
    try {
      const asking = request({
        command: ['sh', '-c', `${get(`${address}:8080`)}; true`],
        network: 'egress',
      });
      const other = containerSpecFor(asking, await image(), two, policy, networks[1]);
      expect((await runSpec(other)).stdout).toBe('');
      // From "the internet", as someone on the worker's own network segment might try.
      ip('-n', namespace, 'route', 'add', `${address}/32`, 'via', outside.address);
      const neighbour = `${get(`${address}:8080`)}; true`.replace('| nc ', '| busybox nc ');
      expect(sh('ip', 'netns', 'exec', namespace, 'sh', '-c', neighbour)).toBe('');
    } finally {
      sh('iptables', '-D', 'DOCKER-USER', '-j', 'ACCEPT');
    }
    await engine.remove(id);
    await egress.close(one);
    await egress.close(two);
  });

  it('has a bridge of its own that goes with it', async () => {
    const who = owner();
    await egress.open(who);
    expect(sh('ip', '-o', 'link', 'show', interfaceFor(sandboxName(who)))).toContain('rle');
    // What an earlier try of the same attempt left is replaced.
    await egress.open(who);
    await egress.close(who);
    await egress.close(who);
    expect(sh('ip', '-o', 'link')).not.toContain(interfaceFor(sandboxName(who)));
  });
});

describe('the firewall', () => {
  const targets = [`${otherPrivate}:80`, `${onLoopback[0]}:8099`, `${site}:80`];

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
    expect(hooks.length).toBe(2);
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
    const elsewhere: Engine = { ...engine, createNetwork: async () => 'made elsewhere' };
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
