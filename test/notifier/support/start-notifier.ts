import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { nodeFlags } from '../../../infra/parts/node-flags.ts';

export type IslandNotifier = {
  pid: number;
  alive(): boolean;
  /** The most memory it ever had, in bytes. */
  peakMemory(): Promise<number>;
  stop(): Promise<void>;
};

/** The notifier as it is, started behind a prefix (an island's, as a rule). Resolves when it is ready. */
export async function startNotifier(prefix: string[], env: Record<string, string>): Promise<IslandNotifier> {
  const [command = '', ...args] = [
    ...prefix,
    process.execPath,
    ...nodeFlags('notifier'),
    'services/notifier/main.ts',
  ];
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let log = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-100_000);
      if (log.includes('"ready"')) resolve();
    });
    void exited.then(() => reject(new Error(`the notifier ended:\n${log}`)));
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    alive: () => child.exitCode === null && child.signalCode === null,
    async peakMemory() {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}
