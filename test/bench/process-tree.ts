import { readdirSync, readFileSync } from 'node:fs';

/** A process and its CPU time in ms: what it used itself, and what those of its descendants used that have been waited for. */
export type ProcessTime = { pid: number; parent: number; own: number; waitedFor: number };

/** The kernel tells times in ticks of USER_HZ, which is 100 on all that Node runs on. It counts them in nanoseconds. */
const tickMs = 10;

/** All processes that this one can see, as /proc/PID/stat tells them (proc_pid_stat(5)). */
export function processTimes(): ProcessTime[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = readOrNothing(`/proc/${name}/stat`);
      // The name is in parentheses, and may hold anything. The state, field 3, is the first behind it.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const field = (number: number) => Number(fields[number - 3]);
      if (stat === '') return [];
      const own = (field(14) + field(15)) * tickMs;
      const waitedFor = (field(16) + field(17)) * tickMs;
      return [{ pid: Number(name), parent: field(4), own, waitedFor }];
    });
}

/** A process and all below it. */
export function treeOf(all: ProcessTime[], root: number): ProcessTime[] {
  const children = Map.groupBy(all, ({ parent }) => parent);
  const found = all.filter(({ pid }) => pid === root);
  for (const { pid } of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** The ms in which the machine's CPUs were not idle, since it started. */
export function machineBusyMs(): number {
  const [, ...fields] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/ +/);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields.map(Number);
  return (user + nice + system + irq + softirq) * tickMs;
}

/** It may have ended since it was listed. */
function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
