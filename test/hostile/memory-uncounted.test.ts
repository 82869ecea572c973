import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import { hasSocketLimit, maxSocketBytes, startWithPile, type WithPile } from './support/memory.ts';

/** What a run can have the kernel hold for it, past its memory limit. Each attack would be held for so long, and succeed. */
const heldForS = 10;
const MiB = 1024 * 1024;

let runlet: WithPile['runlet'];
let pile: WithPile['pile'];
let on: WithPile;
beforeAll(async () => {
  on = await startWithPile(inject('lab'));
  ({ runlet, pile } = on);
});
afterAll(() => on?.stop());

const attack = (kind: string, processes: number, most: number, seconds = heldForS) =>
  runlet.run({
    image: pile.reference,
    command: [kind, String(processes), String(most), String(seconds)],
    limits: { memoryBytes: 64 * MiB, timeoutMs: 30_000, diskBytes: 64 * MiB },
  });

test.each([
  ['errors of a routing socket', 'netlink', 2, 3000],
  ['lists of a routing socket', 'netlink_dumps', 4, 3000],
  ['datagrams that are never finished', 'udp_corked', 2, 3000],
  ['… of sockets that are in no table any more', 'udp_hidden', 2, 3000],
  ['… nor open, but sent to somebody who does not read', 'udp_in_flight', 1, 15],
  ['… and open for one thread only', 'udp_in_threads', 1, 12],
  ['connections that nobody accepts', 'tcp_waiting', 2, 1000],
  ['locks', 'locks', 4, 100_000],
  ['terminals', 'ptys', 1, 1000],
])('unread, unsent, not let go: %s end a step, and no neighbour’s', async (_, kind, processes, most) => {
  const neighbour = runlet.run({ image: 'busybox', command: ['sh', '-c', 'sleep 1; echo well'] });
  const run = await attack(kind, processes, most);
  expect(run).toMatchObject({
    status: 'out_of_memory',
    exitCode: 137,
    error: { code: 'kernel_memory_limit' },
  });
  expect(run.error?.detail).toMatch(/beside limits.memoryBytes/);
  expect(run.steps?.map(({ limit }) => limit)).toEqual(['memory']);
  expect(await neighbour).toMatchObject({ status: 'succeeded', stdout: 'well\n' });
});

test('connections on a loopback that Docker has the kernel keep a table of; in a network of our own it keeps none', async () => {
  const run = await runlet.run({
    image: pile.reference,
    command: ['connections', '1', '200000', String(heldForS)],
    limits: { memoryBytes: 64 * MiB, timeoutMs: 30_000 },
    network: 'egress',
  });
  const counts = await runlet.run({
    image: 'busybox',
    command: [
      'sh',
      '-c',
      'nc -l -p 5000 > got & sleep 0.5; echo came | nc 127.0.0.1 5000; wait; cat got /proc/sys/net/netfilter/nf_conntrack_count',
    ],
    network: 'egress',
  });
  // The connection was made; how many are in the table.
  const [, tracked] = /^came\n(\d+)\n$/.exec(counts.stdout) ?? [];
  expect(tracked, counts.stdout + counts.stderr).toBeDefined();
  if (tracked === '0') expect(run).toMatchObject({ error: null, steps: [{ limit: null }] });
  else expect(run).toMatchObject({ status: 'out_of_memory', error: { code: 'kernel_memory_limit' } });
});

test.each([
  ['echoes of pings', 'ping', 'Operation not permitted'],
  ['TCP over several paths', 'mptcp', 'Protocol not supported'],
  ['keys of TCP', 'tcp_keys', 'Operation not permitted'],
  ['groups of IPv4', 'groups4', 'Operation not permitted'],
  ['… and their sources', 'sources4', 'Operation not permitted'],
  ['groups of IPv6', 'groups6', 'Operation not permitted'],
  ['pages out of the kernel’s own map', 'secret', 'Operation not permitted'],
  ['asynchronous I/O', 'aio', 'Function not implemented'],
])('%s cannot be had', async (_, kind, answer) => {
  const run = await attack(kind, 1, 10, 0);
  expect(run.stdout).toBe(`${kind}: 0, then ${answer}\nheld\n`);
});

test('buffers of sockets have a limit on cgroup v1, which is the run’s', async () => {
  if (!(await hasSocketLimit())) return;
  const file = '/sys/fs/cgroup/memory/memory.kmem.tcp.limit_in_bytes';
  const limitWith = async (memoryBytes: number) =>
    Number((await runlet.run({ image: 'busybox', command: ['cat', file], limits: { memoryBytes } })).stdout);
  expect(await limitWith(64 * MiB)).toBe(16 * MiB);
  // Whatever limit a sandbox was made with that waited for it.
  expect(await limitWith(256 * MiB)).toBe(64 * MiB);
  expect(await limitWith(16 * MiB)).toBe(8 * MiB);
});

/** On cgroup v1 a program goes on within that limit. On v2 buffers are memory like any other, and there is too much of it. */
async function expectBounded(run: Run, kind: string) {
  if (await hasSocketLimit()) expect(run.stdout).toMatch(new RegExp(`^${kind}: 200, then Success$`, 'm'));
  else expect(run).toMatchObject({ status: 'out_of_memory', error: { code: 'memory_limit' } });
}

test('datagrams that wait are no more than the run may have', async () => {
  await expectBounded(await attack('udp', 1, 200, 1), 'udp');
});

test.each(['tcp', 'udp'])('full buffers of %s stay within a limit', async (kind) => {
  const few = await attack(kind, 1, 10, 0);
  expect(few.stdout).toMatch(new RegExp(`^${kind}: 10, then Success$`, 'm'));
  const attacked = attack(kind, 1, 200, 0);
  const most = (await hasSocketLimit()) ? await maxSocketBytes(attacked) : 0;
  await expectBounded(await attacked, kind);
  // Each connection may go on with a little beyond.
  expect(most).toBeLessThan(24 * MiB);
});

test('what was sent does not come back with its time', async () => {
  const run = await attack('stamps', 1, 20, 0);
  expect(run.stdout).toMatch(/^stamps: 20, then/);
  expect(run.status).not.toBe('errored');
});

test('a program that lists interfaces, over and over, goes on', async () => {
  const run = await attack('interfaces', 1, 20_000, 0);
  expect(run.stdout).toMatch(/^interfaces: 20000, then Success$/m);
});
