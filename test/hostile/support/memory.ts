import { execFileSync } from 'node:child_process';
import { access, copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { docker } from '../../support/docker.ts';
import type { Lab } from '../../support/lab.ts';
import { startRunlet } from '../../support/runlet.ts';

/** An image of pile.c alone; `remove` it at the end. */
async function pileImage(dockerHost: string): Promise<{ reference: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'runlet-pile-'));
  const reference = `runlet-test-pile:${process.pid}`;
  try {
    const source = fileURLToPath(new URL('./pile.c', import.meta.url));
    await copyFile(source, join(folder, 'pile.c'));
    execFileSync('cc', [
      '-static',
      '-O1',
      '-Wall',
      '-Werror',
      '-o',
      join(folder, 'pile'),
      join(folder, 'pile.c'),
    ]);
    execFileSync('tar', ['-C', folder, '-cf', join(folder, 'root.tar'), 'pile']);
    await docker(
      dockerHost,
      'import',
      '-c',
      'ENTRYPOINT ["/pile"]',
      '-c',
      'WORKDIR /tmp',
      join(folder, 'root.tar'),
      reference,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return {
    reference,
    remove: async () => {
      await docker(dockerHost, 'rmi', '-f', reference);
    },
  };
}

export type WithPile = Awaited<ReturnType<typeof startWithPile>>;

/** A whole Runlet, and the image for it. */
export async function startWithPile(lab: Lab) {
  const pile = await pileImage(lab.dockerHost);
  try {
    const runlet = await startRunlet(lab);
    return {
      ...{ runlet, pile },
      async stop() {
        await runlet.stop();
        await pile.remove();
      },
    };
  } catch (error) {
    await pile.remove();
    throw error;
  }
}

/** Whether this machine counts memory by cgroup v1, where sockets' buffers have a limit of their own. */
export const hasSocketLimit = (): Promise<boolean> =>
  access('/sys/fs/cgroup/memory/memory.kmem.tcp.limit_in_bytes').then(
    () => true,
    () => false,
  );

/** What the buffers of sockets of a container that runs pile.c take, at the most that was seen until `done`. For cgroup v1. */
export async function maxSocketBytes(done: Promise<unknown>): Promise<number> {
  let over = false;
  void done.finally(() => {
    over = true;
  });
  let most = 0;
  while (!over) {
    for (const pid of await readdir('/proc')) {
      const about = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
      if ((await about('comm')) !== 'pile\n') continue;
      const path = /^\d+:memory:(.*)$/m.exec(await about('cgroup'))?.[1];
      const usage = `/sys/fs/cgroup/memory${path}/memory.kmem.tcp.usage_in_bytes`;
      most = Math.max(most, Number(await readFile(usage, 'utf8').catch(() => '0')));
    }
    await sleep(50);
  }
  return most;
}
