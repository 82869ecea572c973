import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What one limit is for: folders and files of the engine's machine, and where the container has each (`/`: as its root). */
export type DiskGroup = {
  maxBytes: number;
  /** What a file or folder counts at least: one that is empty takes room as well. */
  leastBytes: number;
  places: { path: string; inside: string }[];
};

export type DiskUse = {
  /** Of each group. Counting may stop once a group is over its `maxBytes`. */
  bytes: number[];
  /** Nothing was left out because time ran out, or because it could not be entered. */
  complete: boolean;
  /** Descriptors in the queues of its sockets: which files they are of is not visible. */
  queuedDescriptors: number;
  /** What its processes have written in all, deleted or not. */
  writtenBytes: number;
};

/** Long measurements do not keep others waiting: so many run at once. */
const maxHelpers = 4;
const graceMs = 5_000;

type Helper = { child: ChildProcess; answer: PromiseWithResolvers<string> | undefined };

/**
 * Measures what a container has on the disk of the engine's machine, deleted files that are open included. The init's program does it, as
 * a child of the worker (infra/sandbox-init/README.md): both must be root there.
 */
export function createDiskLook(initPath: string) {
  const idle: Helper[] = [];
  let count = 0;
  const waiting: (() => void)[] = [];

  function begin(): Helper {
    const child = spawn(initPath, ['disk'], { env: {}, cwd: '/', stdio: ['pipe', 'pipe', 'ignore'] });
    const helper: Helper = { child, answer: undefined };
    const lost = (error: Error) => {
      helper.answer?.reject(error);
      const at = idle.indexOf(helper);
      if (at >= 0) idle.splice(at, 1);
    };
    child.once('error', lost);
    child.once('close', () => {
      count -= 1;
      lost(new Error('the program that measures disks has ended'));
      waiting.shift()?.();
    });
    child.stdin?.on('error', lost);
    if (child.stdout)
      createInterface({ input: child.stdout }).on('line', (line) => helper.answer?.resolve(line));
    count += 1;
    return helper;
  }

  async function take(): Promise<Helper> {
    for (;;) {
      const free = idle.pop();
      if (free !== undefined) return free;
      if (count < maxHelpers) return begin();
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  }

  return {
    /** @param ms half of it for files by their names, half for open files without a name */
    async look(pid: number, groups: DiskGroup[], ms: number): Promise<DiskUse> {
      const helper = await take();
      const answer = Promise.withResolvers<string>();
      helper.answer = answer;
      const late = setTimeout(() => helper.child.kill('SIGKILL'), ms + graceMs);
      try {
        helper.child.stdin?.write(requestOf(pid, groups, ms));
        const [complete, queuedDescriptors = 0, writtenBytes = 0, ...bytes] = (await answer.promise)
          .split(' ')
          .map(Number);
        idle.push(helper);
        return { bytes, complete: complete === 1, queuedDescriptors, writtenBytes };
      } finally {
        helper.answer = undefined;
        clearTimeout(late);
        waiting.shift()?.();
      }
    },
    close(): void {
      for (const { child } of idle.splice(0)) child.kill('SIGKILL');
    },
  };
}

/** As disk.c reads it: a length, then fields that are each ended by a NUL. */
function requestOf(pid: number, groups: DiskGroup[], ms: number): Buffer {
  const fields = [
    pid,
    ms,
    groups.length,
    ...groups.flatMap(({ maxBytes, leastBytes }) => [maxBytes, leastBytes]),
    ...groups.flatMap(({ places }, group) => places.flatMap(({ path, inside }) => [group, path, inside])),
  ];
  const payload = Buffer.from(fields.map((field) => `${field}\0`).join(''));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(payload.length);
  return Buffer.concat([length, payload]);
}
