import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ChildRegister } from '../parts/child-register.ts';

const script = fileURLToPath(new URL('watchdog.sh', import.meta.url));

/** Starts a process that ends our children if this process is killed (`kill -9`). It ends by itself after us. */
export function startWatchdog(register: ChildRegister, graceMs: number): void {
  const watcher = spawn('sh', [script, register.path, String(Math.ceil(graceMs / 1_000))], {
    // A session of its own, so that the terminal's signals do not reach it. The pipe to it stays open as long as this process lives.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // If it cannot be started, the kernel still sends the children SIGTERM (parts/child.ts).
  watcher.on('error', () => {});
  watcher.stdin.on('error', () => {});
  watcher.unref();
}
