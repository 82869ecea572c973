import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ChildRegister } from '../parts/child-register.ts';

const script = fileURLToPath(new URL('undertaker.sh', import.meta.url));

/** Starts the watcher that ends our children should this process be killed outright. It ends by itself after us. */
export function startUndertaker(register: ChildRegister, graceMs: number): void {
  const watcher = spawn('sh', [script, register.path, String(Math.ceil(graceMs / 1_000))], {
    // Its own session, out of reach of the terminal; the pipe to it stays open for as long as this process lives.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without it, all that is lost is the second net.
  watcher.on('error', () => {});
  watcher.stdin.on('error', () => {});
  watcher.unref();
}
