import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startWithPile, type WithPile } from './support/memory.ts';

/** What a program does to the kernel’s books on it: its CPU time, its dumps. */
let runlet: WithPile['runlet'];
let pile: WithPile['pile'];
let on: WithPile;
beforeAll(async () => {
  on = await startWithPile(inject('lab'));
  ({ runlet, pile } = on);
});
afterAll(() => on?.stop());

test('CPU time of children that nobody waits for is counted, and limited', async () => {
  const request = (most: number, cpuTimeMs: number) => ({
    image: pile.reference,
    command: ['unwaited', '1', String(most), '0'],
    limits: { timeoutMs: 20_000, cpuTimeMs },
  });
  const counted = await runlet.run(request(10, 5_000));
  // Ten, of 50 ms each.
  expect(counted.usage.cpuMs).toBeGreaterThan(450);
  expect(counted.usage.cpuMs).toBeLessThan(1_000);
  const limited = await runlet.run(request(1_000, 300));
  expect(limited).toMatchObject({ status: 'timed_out', error: { code: 'cpu_limit' } });
  expect(limited.usage.cpuMs).toBeLessThan(600);
});

test('in a run no program is dumped, and none can have the host’s core_pattern called', async () => {
  const run = await runlet.run({ image: pile.reference, command: ['core_limit', '1', '1', '0'] });
  // Set to 0, by both calls: answered as done, and still 1, at which the kernel calls nobody. Other limits are set.
  expect(run.stdout).toBe('core 0 0: 1 1\nfiles 0\ncore_limit: 1, then Success\nheld\n');
});

const wait = { prefer: 'wait=30' };

/** A service for as long as `use` takes. */
async function withService(request: Record<string, unknown>, use: (id: string) => Promise<void>) {
  const made = await runlet.call('POST', '/v1/services', request, wait);
  const { id } = (await made.json()) as { id: string };
  try {
    await use(id);
  } finally {
    await runlet.call('DELETE', `/v1/services/${id}`, undefined, wait);
  }
}

async function execIn(id: string, request: Record<string, unknown>) {
  const exec = await runlet.call('POST', `/v1/services/${id}/exec`, request, wait);
  return runlet.ended(((await exec.json()) as { id: string }).id);
}

test('nor in a service, and what is executed in it', async () => {
  const command = ['sh', '-c', 'ulimit -c 0; grep core /proc/self/limits; grep core /proc/1/limits'];
  await withService({ image: 'busybox', name: 'core', command: ['sleep', '1000'] }, async (id) => {
    const { stdout } = await execIn(id, { command });
    const line = expect.stringMatching(/^Max core file size +1 +1 +bytes *$/);
    expect(stdout?.trimEnd().split('\n')).toEqual([line, line]);
  });
});

test('CPU time of such children is counted beside a service, as far as it was seen', async () => {
  // Of each child's 50 ms what was seen at a look, every 20 ms; of 200 that is enough by far.
  const command = ['/pile', 'unwaited', '1', '200', '0'];
  await withService(
    { image: pile.reference, name: 'cpu', command: ['interfaces', '1', '1', '1000'] },
    async (id) => {
      const run = await execIn(id, { command, limits: { cpuTimeMs: 1_000, timeoutMs: 60_000 } });
      expect(run).toMatchObject({ status: 'timed_out', error: { code: 'cpu_limit' } });
    },
  );
});

test('a service that has the kernel hold too much for it is ended, and says why', async () => {
  const request = {
    image: pile.reference,
    name: 'pile',
    command: ['netlink', '1', '3000', '30'],
    limits: { memoryBytes: 64 * 1024 * 1024 },
    restart: 'never',
  };
  await withService(request, async (id) => {
    const logs = async () => (await runlet.call('GET', `/v1/services/${id}/logs`)).text();
    await expect.poll(logs, { timeout: 60_000 }).toMatch(/runlet-init: ended, for more of the kernel's/);
  });
});

test('what is executed in a service is ended alone, and the service goes on', async () => {
  await withService(
    { image: pile.reference, name: 'beside', command: ['interfaces', '1', '1', '1000'] },
    async (id) => {
      const run = await execIn(id, { command: ['/pile', 'netlink', '1', '3000', '8'] });
      expect(run).toMatchObject({ status: 'out_of_memory', error: { code: 'kernel_memory_limit' } });
      const service = (await (await runlet.call('GET', `/v1/services/${id}`)).json()) as { status: string };
      expect(service.status).toBe('ready');
    },
  );
});
