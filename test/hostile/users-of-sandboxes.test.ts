import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, onTestFinished, test } from 'vitest';
import type { Worker } from '../../shared/contracts/worker.ts';
import { docker } from '../support/docker.ts';
import { type Program, type Runlet, startRunlet } from '../support/runlet.ts';
import { sandboxesOn, usersIn } from '../support/sandboxes.ts';

const lab = inject('lab');

/** From what it says at its start. */
function blockOf(worker: Program | undefined): { first: number; last: number } {
  const line = worker?.lines.find((one) => one.includes('"users of sandboxes"')) ?? '{}';
  const { first, last } = JSON.parse(line) as { first: number; last: number };
  return { first, last };
}

/** The users of all sandboxes of these workers: as they are recorded, and those that their processes have. */
async function usersOf(runlet: Runlet): Promise<{ recorded: number; real: string[] }[]> {
  const workers = (await workersOf(runlet)).map(({ id }) => id);
  const all = (await sandboxesOn(lab.dockerHost)).filter(({ worker }) => workers.includes(worker));
  return Promise.all(
    all.map(async (one) => ({ recorded: one.user, real: await usersIn(lab.dockerHost, one) })),
  );
}

const workersOf = async (runlet: Runlet) =>
  ((await (await runlet.call('GET', '/v1/workers')).json()) as { data: Worker[] }).data;

const sleeper = { image: 'busybox', command: ['sleep', '60'] };

test('workers that share an engine, of one Runlet or of two, have users of their own, and each sandbox has one', async () => {
  const one = await startRunlet(lab, { workers: 2 });
  onTestFinished(() => one.stop());
  const other = await startRunlet(lab);
  onTestFinished(() => other.stop());
  const blocks = [...one.workers, ...other.workers].map(blockOf).sort((a, b) => a.first - b.first);
  expect(blocks).toHaveLength(3);
  blocks.reduce((before, block) => {
    expect(block.first).toBeGreaterThan(before.last);
    expect(block.last).toBeGreaterThan(block.first);
    return block;
  });

  const ids = await Promise.all(
    [one, one, other].map(async (runlet) => {
      const { id } = (await (await runlet.call('POST', '/v1/runs', sleeper)).json()) as { id: string };
      onTestFinished(() => void runlet.call('POST', `/v1/runs/${id}/cancel`));
      return { runlet, id };
    }),
  );
  for (const { runlet, id } of ids)
    for (;;) {
      const { status } = (await (await runlet.call('GET', `/v1/runs/${id}`)).json()) as { status: string };
      if (status === 'running') break;
      await sleep(25);
    }
  const users = [...(await usersOf(one)), ...(await usersOf(other))];
  expect(users.length).toBeGreaterThanOrEqual(3);
  expect(new Set(users.map(({ recorded }) => recorded)).size).toBe(users.length);
  for (const { recorded, real } of users) {
    expect(real.length).toBeGreaterThan(0);
    for (const user of real) expect(user).toBe(`${recorded}:${recorded}`);
    expect(blocks.filter(({ first, last }) => first <= recorded && recorded <= last)).toHaveLength(1);
  }
  for (const worker of [...(await workersOf(one)), ...(await workersOf(other))])
    expect(worker.runUser).toBeNull();
  for (const { runlet, id } of ids) await runlet.call('POST', `/v1/runs/${id}/cancel`);
});

test('a worker takes no users of which a container is left, whoever left it, and a stopped one’s at once', async () => {
  const runlet = await startRunlet(lab, { env: { RUNLET_WARM_MAX: '0' } });
  onTestFinished(() => runlet.stop());
  expect(await runlet.run({ image: 'busybox', command: ['id', '-un'] })).toMatchObject({
    stdout: 'runlet\n',
  });
  const before = blockOf(runlet.workers[0]);
  await runlet.workers[0]?.stop();

  const label = `dev.runlet.user=${before.last}`;
  const left = await docker(lab.dockerHost, 'create', '--label', label, 'busybox', 'true');
  const remove = () => docker(lab.dockerHost, 'rm', left);
  onTestFinished(() => void remove().catch(() => {}));
  const second = await runlet.startWorker();
  expect(blockOf(second).first).toBe(before.last + 1);
  await second.stop();

  await remove();
  expect(blockOf(await runlet.startWorker())).toEqual(before);
});

test('a killed worker’s users are nobody’s while its claim lasts', async () => {
  const runlet = await startRunlet(lab, { env: { RUNLET_WARM_MAX: '0' } });
  onTestFinished(() => runlet.stop());
  const [killed] = runlet.workers;
  await killed?.stop('SIGKILL');
  expect(blockOf(await runlet.startWorker()).first).toBe(blockOf(killed).last + 1);
});

test('one user for all, where the operator chose it, is what workers say', async () => {
  const runlet = await startRunlet(lab, { env: { RUNLET_RUN_USER: '4321:8765' } });
  onTestFinished(() => runlet.stop());
  expect((await workersOf(runlet)).map(({ runUser }) => runUser)).toEqual(['4321:8765']);
  const { stdout } = await runlet.run({ image: 'busybox', command: ['sh', '-c', 'id; ls -ldn /work'] });
  expect(stdout).toMatch(/^uid=4321\(runlet\) gid=8765\(runlet\) .*\nd\S+ +\d+ 4321 +8765 /);
});
