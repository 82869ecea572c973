import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../infra/parts/ports.ts';
import { run } from '../../../infra/parts/run.ts';
import { processesLeft } from './processes.ts';

export const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** A place for one `npm start` and what it leaves: a user's folders and a free port. */
export interface Home {
  folder: string;
  dataDir: string;
  configDir: string;
  binDir: string;
  port: number;
  env: NodeJS.ProcessEnv;
  /** Fails if anything still runs. */
  remove(): Promise<void>;
}

export async function makeHome(env: NodeJS.ProcessEnv): Promise<Home> {
  const folder = mkdtempSync(join(tmpdir(), 'runlet-home-'));
  const [dataDir, configDir, binDir] = ['data', 'config', 'bin'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(dataDir, { mode: 0o700 });
  // As if the public registry had been looked for and not been found: a test asks nobody outside this machine.
  writeFileSync(join(dataDir, 'public-registry.json'), JSON.stringify({ reachable: false, at: Date.now() }));
  const port = await freePort('127.0.0.1');
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('RUNLET_')),
  );
  return {
    folder,
    dataDir,
    configDir,
    binDir,
    port,
    env: {
      ...clean,
      RUNLET_DATA_DIR: dataDir,
      RUNLET_CONFIG_DIR: configDir,
      RUNLET_BIN_DIR: binDir,
      RUNLET_PORT: String(port),
      ...env,
    },
    async remove() {
      // A test that fails half-way must not leave a server behind; one that passes has none left.
      const left = await processesLeft(dataDir, 5_000);
      for (const line of left) await run('kill', ['-KILL', line.split(' ')[0] ?? ''], { allowFailure: true });
      rmSync(folder, { recursive: true, force: true });
      if (left.length > 0) throw new Error(`Left running:\n${left.join('\n')}`);
    },
  };
}

export interface Started {
  process: ChildProcess;
  output(): string;
  /** Resolves when the text has been printed; rejects if it ends before. */
  said(text: string): Promise<void>;
  ended: Promise<number | null>;
}

/** What the npm script `start` runs; or with its words, npm itself. */
export function npmStart(
  home: Home,
  env: NodeJS.ProcessEnv = {},
  [command, ...words]: [string, ...string[]] = ['sh', 'infra/start.sh'],
): Started {
  const child = spawn(command, words, { cwd: root, env: { ...home.env, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return {
    process: child,
    output: () => output,
    ended,
    async said(text) {
      let over = false;
      void ended.then(() => {
        over = true;
      });
      while (!output.includes(text)) {
        if (over) throw new Error(`npm start ended without saying '${text}':\n${output}`);
        await sleep(20);
      }
    },
  };
}
