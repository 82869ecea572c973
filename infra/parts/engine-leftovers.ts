import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { endProcess, identify, type ProcessId } from './pids.ts';

/**
 * Ends the containers that an Engine has left behind after its own end: their shims, and all processes below them. If a runtime makes
 * a container but cannot start it (runsc does this when it may not have a network), Docker Engine 20.10 forgets the container
 * ("task must be stopped before deletion: created", in its log). Its processes would stay for ever.
 */
export async function endEngineLeftovers(execRoot: string): Promise<void> {
  const address = join(execRoot, 'containerd/containerd.sock');
  const processes = listProcesses();
  const left = new Set(
    processes.filter(
      ({ words }) => basename(words[0] ?? '').startsWith('containerd-shim') && words.includes(address),
    ),
  );
  // A shim is the subreaper of all that it starts (prctl(2), PR_SET_CHILD_SUBREAPER). So no process can leave its tree.
  for (const { id } of left) for (const one of processes) if (one.parent === id.pid) left.add(one);
  await Promise.all([...left].map(({ id }) => endProcess(id, 0)));
}

interface Listed {
  id: ProcessId;
  parent: number;
  /** The command line of the process. */
  words: string[];
}

function listProcesses(): Listed[] {
  return readdirSync('/proc').flatMap((name) => {
    const id = /^\d+$/.test(name) ? identify(Number(name)) : undefined;
    if (id === undefined) return [];
    try {
      const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1];
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      return [{ id, parent: Number(parent), words }];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}
