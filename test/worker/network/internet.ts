import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { createFirewall } from '../../../services/worker/network/firewall.ts';
import { sh } from '../engine/support.ts';

/**
 * "The internet" is a network namespace behind a veth pair, with global addresses that a route of this machine leads
 * into it: no packet leaves. The forbidden addresses are put there too, or on this machine's own loopback: so each
 * is there to be reached, and only the firewall is in the way.
 */
export const namespace = `rletest${process.pid}`;
const outside = { link: `rlo${process.pid}`, address: '203.0.114.9' };
const inside = { link: `rli${process.pid}`, address: '203.0.114.10' };
export const site = '203.0.115.1';
/** A route leads there, and nobody answers. */
export const silentSite = '203.0.115.66';
export const resolver = '203.0.115.53';
export const privateResolver = '10.99.99.53';
export const otherPrivate = '10.99.99.54';
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
/** This machine's address towards it, and its own interface towards this machine. */
export const ownAddress = outside.address;
export const outerLink = inside.link;

/** `address:port` of what must not be reached, each answered by somebody. */
export const forbidden = behind
  .filter((address) => ![site, resolver].includes(address))
  .map((address) => `${address}:80`);
/** Of this machine, each answered too. */
export const local = [...onLoopback, outside.address, '127.0.0.1', '172.17.0.1'].map(
  (address) => `${address}:8099`,
);
export const metadata = `${onLoopback[0]}:8099`;

export const ip = (...args: string[]) => sh('ip', ...args);

/** Makes it for a test file, whose firewall's rules are gone at the end. Call it before `bench()`. */
export function internet() {
  const firewall = createFirewall([resolver, privateResolver]);
  const children: ChildProcess[] = [];
  let folder: string;
  let bridgesBefore: string[];

  function serve(port: string, prefix: string[] = []): void {
    const web = ['busybox', 'httpd', '-f', '-p', `0.0.0.0:${port}`, '-h', folder];
    const [command = '', ...args] = [...prefix, ...web];
    children.push(spawn(command, args, { stdio: 'ignore' }));
  }

  beforeAll(async () => {
    bridgesBefore = rules(ofBridges);
    folder = mkdtempSync(join(tmpdir(), 'runlet-egress-'));
    writeFileSync(join(folder, 'index.html'), 'reached');
    ip('netns', 'add', namespace);
    ip('link', 'add', outside.link, 'type', 'veth', 'peer', 'name', inside.link, 'netns', namespace);
    ip('addr', 'add', `${outside.address}/30`, 'dev', outside.link);
    ip('link', 'set', outside.link, 'up');
    ip('-n', namespace, 'addr', 'add', `${inside.address}/30`, 'dev', inside.link);
    ip('-n', namespace, 'link', 'set', inside.link, 'up');
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    for (const address of behind) ip('-n', namespace, 'addr', 'add', `${address}/32`, 'dev', 'lo');
    for (const address of [...behind, silentSite]) {
      ip('route', 'add', `${address}/32`, 'via', inside.address, 'dev', outside.link);
    }
    for (const address of onLoopback) ip('addr', 'add', `${address}/32`, 'dev', 'lo');
    const within = ['ip', 'netns', 'exec', namespace];
    serve('80', within);
    serve('53', within);
    serve('8099');
    await reachable(`${site}:80`);
    await reachable(metadata);
  });

  // Hooks run last in, first out: this one looks when bench() has removed what is left.
  afterAll(() => {
    expect(rules(ofFirewall)).toEqual([]);
    expect(rules(ofBridges)).toEqual(bridgesBefore);
  });
  afterAll(async () => {
    takeRulesAway();
    const closed = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(closed);
    for (const address of onLoopback) ip('addr', 'del', `${address}/32`, 'dev', 'lo');
    ip('link', 'del', outside.link);
    ip('netns', 'del', namespace);
    rmSync(folder, { recursive: true });
  });

  return { firewall };
}

const ofFirewall = /RUNLET/;

const tables = () =>
  (existsSync('/proc/net/if_inet6') ? ['iptables', 'ip6tables'] : ['iptables']).flatMap((tool) =>
    ['filter', 'nat'].map((table) => [tool, '-w', '5', '-t', table] as const),
  );

/** As an operator would: no sandbox of any worker on this machine is left. */
function takeRulesAway(): void {
  for (const table of tables()) {
    const listing = sh(...table, '-S').split('\n');
    const chains = listing.flatMap((line) => /^-N (RUNLET\S*)$/.exec(line)?.[1] ?? []);
    const jumps = listing.filter((line) => / -j RUNLET\S*$/.test(line) && !line.startsWith('-A RUNLET'));
    for (const jump of jumps) sh(...table, ...jump.replace('-A', '-D').split(' '));
    for (const chain of chains) sh(...table, '-F', chain);
    for (const chain of chains) sh(...table, '-X', chain);
  }
}
/** The engine's own, of our networks. */
const ofBridges = /^(?!.*RUNLET).*(?:rle|rls)/;

function rules(which: RegExp): string[] {
  const lines = tables().flatMap((table) => sh(...table, '-S').split('\n'));
  return lines.filter((line) => which.test(line));
}

/** From this machine itself: the test's own proof that someone answers there. */
export async function reachable(target: string): Promise<void> {
  for (let left = 50; ; left--) {
    const answer = await fetch(`http://${target}/`, { signal: AbortSignal.timeout(2000) })
      .then((response) => response.text())
      .catch(() => '');
    if (answer === 'reached') return;
    if (left === 0) throw new Error(`nobody answers at ${target}`);
    await sleep(100);
  }
}

/** Debian's static busybox has a wget that crashes outside of Debian, without any sandbox too. */
export function get(target: string): string {
  return `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 ${target.replace(':', ' ')} 2>/dev/null`;
}

/** A script that says which of the targets (`address:port`) it reaches, and what it said as a list. */
export const tries = (targets: string[]) =>
  `${targets.map((target) => `${get(target)} | grep -q reached && echo ${target} &`).join('\n')}\nwait`;
export const answered = (said: string) =>
  said
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .sort();
