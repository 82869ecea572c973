import { spawn } from 'node:child_process';
import { searchPath } from './tools.ts';

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  timeoutMs?: number;
  /** Return the exit code instead of throwing. */
  allowFailure?: boolean;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** How much of each stream is kept: enough for any message, and bounded. */
const keptBytes = 4 * 1024 * 1024;

/** Runs a program to its end, without a shell. If it fails, this throws an error with the end of its output. */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<RunResult> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, PATH: searchPath(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.timeoutMs === undefined
      ? {}
      : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
  });
  const kept = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      kept[name] = (kept[name] + text).slice(-keptBytes);
    });
  }
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve(exitCode ?? 137));
  });
  if (code !== 0 && options.allowFailure !== true) {
    const said = (kept.stderr.trim() || kept.stdout.trim()).slice(-2_000);
    throw new Error(`${[command, ...args].join(' ')} ended with exit code ${code}:\n${said}`);
  }
  return { code, ...kept };
}
