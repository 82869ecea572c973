import { access, readFile, writeFile } from 'node:fs/promises';
import type { ContainerId } from '../containers.ts';

/**
 * cgroup v1 counts the buffers of sockets apart from all other memory (memory.kmem.tcp.*, UDP's too), and not at all where no limit is
 * written. The Engine takes one (`KernelMemoryTCP`) and does not write it (20.10); so the worker does, on the Engine's own machine.
 * Sockets that a program opened before are not counted: it is written as soon as a container has started. v2 counts them as memory.
 */
export type SocketLimit = {
  /** As much as belongs to this memory limit; none given: to that which the container has. Never fails: where it cannot be written it is not. */
  set(id: ContainerId, memoryBytes?: number): Promise<void>;
};

const root = '/sys/fs/cgroup/memory';
const MiB = 1024 * 1024;

/** Beside its memory: a quarter of that, and what a few connections need to be fast. */
const shareFor = (memoryBytes: number) => Math.max(8 * MiB, Math.floor(memoryBytes / 4));

/** `pidOf`: a process of the container, by this machine's number; 0 where there is none. */
export function socketLimit(local: boolean, pidOf: (id: ContainerId) => Promise<number>): SocketLimit {
  const isThere = local
    ? access(`${root}/memory.kmem.tcp.limit_in_bytes`).then(
        () => true,
        () => false,
      )
    : Promise.resolve(false);
  /** Where the Engine has a container's cgroup, as the last one had it: with that it need not be asked again. */
  let folderOf: ((id: ContainerId) => string) | undefined;

  async function write(folder: string, given?: number): Promise<void> {
    const memory = given ?? Number(await readFile(`${folder}/memory.limit_in_bytes`, 'utf8'));
    await writeFile(`${folder}/memory.kmem.tcp.limit_in_bytes`, String(shareFor(memory)));
  }

  async function find(id: ContainerId, memoryBytes?: number): Promise<void> {
    const pid = await pidOf(id);
    if (pid <= 0) return;
    const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8');
    const path = /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$/m.exec(groups)?.[1];
    // Another cgroup than its own would be somebody else's.
    if (path?.includes(id) !== true) return;
    folderOf = (other) => `${root}${path.replaceAll(id, other)}`;
    await write(folderOf(id), memoryBytes);
  }

  return {
    async set(id, memoryBytes) {
      if (!(await isThere)) return;
      try {
        if (folderOf === undefined) await find(id, memoryBytes);
        else await write(folderOf(id), memoryBytes).catch(() => find(id, memoryBytes));
      } catch {
        // It ended meanwhile; or this is not root, or has another view of the machine's cgroups: `runlet doctor` says that it is open.
      }
    },
  };
}
