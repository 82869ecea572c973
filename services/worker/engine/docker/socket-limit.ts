import { access, readFile, writeFile } from 'node:fs/promises';
import type { ContainerId } from '../containers.ts';
import { socketBytesFor } from '../kernel-settings.ts';

/**
 * cgroup v1 counts the buffers of sockets apart from all other memory (memory.kmem.tcp.*, UDP's, too), and only where a limit is written.
 * The Engine accepts one (`KernelMemoryTCP`) and does not write it (20.10); so the worker writes it, on the Engine's own machine. Sockets
 * that were opened before are not counted, so it is written as soon as a container has started. v2 counts buffers as memory.
 */
export type SocketLimit = {
  /** Writes the limit that belongs to this memory limit; without one, to that of the container. Never fails: where it cannot be written, there is none. */
  set(id: ContainerId, memoryBytes?: number): Promise<void>;
};

const root = '/sys/fs/cgroup/memory';

/** `pidOf`: a process of the container, by this machine's number; 0 where there is none. */
export function socketLimit(local: boolean, pidOf: (id: ContainerId) => Promise<number>): SocketLimit {
  const isThere = local
    ? access(`${root}/memory.kmem.tcp.limit_in_bytes`).then(
        () => true,
        () => false,
      )
    : Promise.resolve(false);
  /** Where the Engine puts containers' cgroups, as seen with the last container, so that the Engine need not be asked each time. */
  let folderOf: ((id: ContainerId) => string) | undefined;

  async function write(folder: string, given?: number): Promise<void> {
    const memory = given ?? Number(await readFile(`${folder}/memory.limit_in_bytes`, 'utf8'));
    await writeFile(`${folder}/memory.kmem.tcp.limit_in_bytes`, String(socketBytesFor(memory)));
  }

  async function find(id: ContainerId, memoryBytes?: number): Promise<void> {
    const pid = await pidOf(id);
    if (pid <= 0) return;
    const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8');
    const path = /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$/m.exec(groups)?.[1];
    // Any other cgroup would be of another container.
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
