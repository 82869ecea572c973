import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { testKey } from './stub-api.ts';

const main = fileURLToPath(new URL('../../../services/cli/main.ts', import.meta.url));

export type Ended = {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: string;
  out: string;
};
export type CliOptions = {
  url?: string;
  /** What to pipe in; without it stdin is /dev/null. */
  stdin?: Uint8Array | string;
  env?: Record<string, string | undefined>;
  cwd?: string;
};

/** A user's folder of its own, so that no test sees the developer's config. */
export function userFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'runlet-cli-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

const folder = userFolder();
const children = new Set<ChildProcess>();

/** To be called when the tests of a file are over: nothing of theirs may be left. */
export function cleanUp(): void {
  for (const child of children) child.kill('SIGKILL');
  folder.remove();
}

/** Starts the real CLI as a user's shell would. */
export function startCli(args: readonly string[], { url, stdin, env = {}, cwd }: CliOptions = {}) {
  const own: Record<string, string | undefined> = {
    PATH: process.env.PATH,
    HOME: folder.path,
    RUNLET_API_KEY: testKey,
    RUNLET_URL: url,
    NODE_COMPILE_CACHE: join(folder.path, 'compiled'),
    ...env,
  };
  // The dashes as in infra/bin/runlet: without them Node takes an --env-file for its own, wherever it stands.
  const child = spawn(process.execPath, ['--', main, ...args], {
    ...(cwd !== undefined && { cwd }),
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)),
  });
  children.add(child);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A CLI that reads no stdin leaves it: that is its right, not the test's failure.
  child.stdin?.on('error', () => {});
  if (stdin !== undefined) child.stdin?.end(stdin);
  const ended = once(child, 'close').then(([code, signal]): Ended => {
    children.delete(child);
    const output = Buffer.concat(stdout);
    return { code, signal, stdout: output, stderr: Buffer.concat(stderr).toString(), out: output.toString() };
  });
  return { child, ended, stderrSoFar: () => Buffer.concat(stderr).toString() };
}

export function runCli(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
  return startCli(args, options).ended;
}
