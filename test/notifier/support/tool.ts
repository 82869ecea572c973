import { execFileSync } from 'node:child_process';

/** Runs one of the machine's tools to its end. */
export function tool(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: 'pipe' });
}
