import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import type { OwnSandbox } from '../../../../../services/worker/sandbox/driver.ts';
import { begin } from '../../../../infra/sandbox-init/support.ts';
import { docker, owner, probeImage, request, sandboxOf } from '../../../engine/support.ts';
import { type OciBench, open, openWith } from './open.ts';

const code = (wanted: string) => expect.objectContaining({ name: 'Problem', code: wanted });
const { instance } = owner();

let bench: OciBench;
beforeAll(async () => {
  bench = await open(inject('lab').dockerHost);
});
afterAll(async () => {
  await bench.driver.close();
  const traces = await bench.traces(instance);
  bench.close();
  expect(traces).toEqual([]);
});

async function make(fields: Record<string, unknown> = {}, of = bench): Promise<OwnSandbox> {
  const asked = request(fields);
  const sandbox = await of.driver.make(sandboxOf(asked, await of.image(asked.image), owner()));
  onTestFinished(() => sandbox.remove());
  await sandbox.session.ready;
  return sandbox;
}

async function says({ session }: OwnSandbox, script: string, workdir = '/work'): Promise<string> {
  await session.prepare(workdir, []);
  return (await begin(session, ['sh', '-c', script]).result).text;
}

/** Pids of this process's own launchers. */
function launchers(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const isOurs = readFileSync(`/proc/${pid}/status`, 'utf8').includes(`PPid:\t${process.pid}\n`);
        return isOurs && readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('launcher');
      } catch {
        return false;
      }
    });
}

describe('where the launcher is killed', () => {
  test('what runs goes on and is removed, and the next one is made', async () => {
    const before = await make();
    const idle = await make();
    const [pid = 0] = launchers();
    process.kill(pid, 'SIGKILL');
    expect(await says(before, 'echo on')).toBe('on\n');
    expect(await says(await make(), 'echo next')).toBe('next\n');
    await idle.kill();
    await idle.session.closed;
    await before.remove();
    expect(await bench.traces(before.id)).toEqual([]);
  });

  test('a removal that it was asked for is done by the next one', async () => {
    const sandbox = await make();
    const [pid = 0] = launchers();
    process.kill(pid, 'SIGKILL');
    // It is not known yet that it has ended.
    await sandbox.remove();
    expect(await bench.traces(sandbox.id)).toEqual([]);
  });

  test('one that is being made is lost with it, by our fault, and leaves nothing', async () => {
    const spec = sandboxOf(request({}), await bench.image(), owner());
    const making = bench.driver.make(spec);
    making.catch(() => {});
    const kill = setInterval(() => {
      for (const pid of launchers()) process.kill(pid, 'SIGKILL');
    }, 1);
    const settled = making.finally(() => clearInterval(kill));
    const end = await settled.then(
      async (made) => made.remove().then(() => undefined),
      (error) => error,
    );
    if (end !== undefined) expect(end).toEqual(code('worker_lost'));
    await expect.poll(() => bench.traces(instance), { timeout: 60_000 }).toEqual([]);
  });
});

describe('an image', () => {
  test('cannot be removed from the engine while it is mounted, and can once it was let go', async () => {
    const image = probeImage('syscalls');
    const { id } = await bench.image(image.reference);
    const sandbox = await make({ image: image.reference });
    expect(() => docker('rmi', image.reference)).toThrow(/conflict/);
    await bench.driver.letGo(id);
    expect(() => docker('rmi', image.reference)).toThrow(/conflict/);
    await sandbox.remove();
    await bench.driver.letGo(id);
    image.remove();
    expect(await bench.engine.images.inspect(image.reference)).toBeNull();
  });

  test('that was pruned all the same is missed with the next sandbox, and serves again when it is back', async () => {
    const image = probeImage('syscalls');
    const info = await bench.image(image.reference);
    await make({ image: image.reference }).then((one) => one.remove());
    for (const name of docker('ps', '-a', '--filter', 'status=created', '--format', '{{.Names}}').split('\n'))
      if (name.includes('pin')) docker('rm', '-f', name);
    docker('rmi', '-f', image.reference);
    await expect(bench.driver.make(sandboxOf(request({}), info, owner()))).rejects.toThrow(
      code('image_not_present'),
    );
    const again = probeImage('syscalls');
    onTestFinished(async () => {
      await bench.driver.letGo((await bench.image(again.reference)).id);
      again.remove();
    });
    await make({ image: again.reference }).then((one) => one.remove());
  });

  test('is seen by each of its sandboxes as it is, whatever folders another asked for', async () => {
    const other = await make({ workdir: '/elsewhere/of/another' });
    expect(await says(other, 'pwd; ls -d /elsewhere', '/elsewhere/of/another')).toBe(
      '/elsewhere/of/another\n/elsewhere\n',
    );
    expect(await says(await make(), 'ls -d /elsewhere 2>&1')).toContain('No such file');
  });
});

describe('where the machine has no more', () => {
  test('processes, a sandbox is refused as "overloaded", and the next one is made', async () => {
    // Below a cgroup of its own: others’ sandboxes are on this machine, too.
    const cgroup = `runlet-full-${process.pid}`;
    const small = await openWith({ cgroup })(inject('lab').dockerHost);
    onTestFinished(async () => {
      await small.driver.close();
      small.close();
      execFileSync('find', ['/sys/fs/cgroup', '-depth', '-path', `*/${cgroup}*`, '-type', 'd', '-delete']);
    });
    const parent = [`/sys/fs/cgroup/pids/${cgroup}`, `/sys/fs/cgroup/${cgroup}`].find(existsSync) ?? '';
    writeFileSync(`${parent}/pids.max`, '1');
    await expect(make({}, small)).rejects.toThrow(code('overloaded'));
    writeFileSync(`${parent}/pids.max`, 'max');
    expect(await says(await make({}, small), 'echo ok')).toBe('ok\n');
  });

  test('room for its state, the same', async () => {
    const mounted = mkdtempSync(join(tmpdir(), 'runlet-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mounted]);
    onTestFinished(() => {
      execFileSync('umount', ['-l', mounted]);
      rmSync(mounted, { recursive: true });
    });
    // A folder of it, as /run/runlet is one of /run.
    const small = await openWith({ stateDir: join(mounted, 'state') })(inject('lab').dockerHost);
    onTestFinished(async () => {
      await small.driver.close();
      small.close();
    });
    await make({}, small).then((one) => one.remove());
    const filler = join(mounted, 'filler');
    expect(() => writeFileSync(filler, Buffer.alloc(2 * 1024 * 1024))).toThrow(/ENOSPC/);
    await expect(make({}, small)).rejects.toThrow(code('overloaded'));
    rmSync(filler);
    expect(await says(await make({}, small), 'echo ok')).toBe('ok\n');
  });
});

test('a driver that cannot be opened says why, and leaves no folder of its worker', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'runlet-closed-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true }));
  const opening = openWith({ stateDir, launcher: '/bin/false' })(inject('lab').dockerHost);
  await expect(opening).rejects.toThrow('the launcher');
  expect(readdirSync(join(stateDir, 'workers'))).toEqual([]);
});

test('what a machine has on its disk after its restart is told, and goes', async () => {
  // By then its state, its cgroups and its mounts are gone.
  const who = owner();
  const name = `runlet-${who.run}-1`;
  const disk = join(bench.dataDir, 'sandboxes');
  mkdirSync(join(disk, name, 'upper/deep'), { recursive: true });
  writeFileSync(join(disk, name, 'upper/deep/file'), 'written');
  writeFileSync(
    join(disk, `${name}.json`),
    JSON.stringify({ owner: { of: 'run', owner: who }, shownAs: name, image: '', user: 1000 }),
  );
  writeFileSync(join(disk, 'foreign.json'), '{}');
  const [found, ...others] = await bench.driver.left(instance);
  expect(others).toEqual([]);
  expect(found).toMatchObject({ id: name, owner: { of: 'run', owner: who } });
  await found?.remove();
  expect(readdirSync(disk).sort()).toEqual(['foreign.json', 'workers']);
});
