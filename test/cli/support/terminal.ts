import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';

export const cliMain = fileURLToPath(new URL('../../../services/cli/main.ts', import.meta.url));

/** The CLI as a word of a shell's command line. */
export const cliWord = `'${process.execPath}' -- '${cliMain}'`;

/** A shell's command line on a terminal of its own (util-linux's script); what its user sees, and keys to press. */
export function onTerminal(shell: string, { url, apiKey }: { url: string; apiKey: string }) {
  const child = spawn('script', ['-qfec', shell, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, RUNLET_API_KEY: apiKey, RUNLET_URL: url, TERM: 'xterm', SHELL: '/bin/sh' },
  });
  let screen = '';
  child.stdout.on('data', (chunk: Buffer) => {
    screen += chunk.toString();
  });
  return {
    child,
    press: (keys: string) => child.stdin.write(keys),
    screen: () => screen,
    ended: once(child, 'close').then(([code]) => code as number),
    shows: (part: string) => vi.waitFor(() => expect(screen).toContain(part), { timeout: 60_000 }),
  };
}

/** As `stty -a` shows it at the end. */
export const isSane = (screen: string) =>
  [/\sicanon\s/, /\sopost\s/, /\sisig\s/, /\secho\s/].every((mode) => mode.test(screen));
