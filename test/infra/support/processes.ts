import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Every live process whose environment or command line holds this text. All that `npm start` starts inherits
 * RUNLET_DATA_DIR, so its value finds them, whoever their parent is by now; Redis writes its title over its environment,
 * and has the path in that.
 */
export function processesWith(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
        const isZombie = readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
        return (command + environment).includes(text) && !isZombie ? [`${pid} ${command}`] : [];
      } catch {
        return [];
      }
    });
}

/** Waits until none is left; answers with those that stay. */
export async function processesLeft(text: string, timeoutMs: number): Promise<string[]> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const left = processesWith(text);
    if (left.length === 0 || Date.now() > deadline) return left;
    await sleep(50);
  }
}
