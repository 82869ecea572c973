import { mkdirSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { dataFolder } from './data-folder.ts';

/** The variables that `npm start` itself reads. All others are passed on to the services, which check them. */
export const startEnvironment = z.object({
  RUNLET_HOST: z.string().min(1).default('127.0.0.1'),
  RUNLET_PORT: z.coerce.number().int().min(1).max(65_535).default(8080),
  RUNLET_CONFIG_DIR: z.string().min(1).optional(),
  // If set, that Redis is used and none is started.
  RUNLET_REDIS_URL: z.string().min(1).optional(),
  RUNLET_API_KEY: z.string().min(1).optional(),
  RUNLET_SECRET_KEY: z.string().min(1).optional(),
  // auto: an existing Engine, else one of our own. own: always one of our own, even beside another Engine.
  RUNLET_ENGINE: z.enum(['auto', 'own']).default('auto'),
  // Arguments for gVisor's runsc, separated by spaces. They are used if an Engine of our own has it as a runtime.
  RUNLET_RUNSC_ARGS: z
    .string()
    .default('')
    .transform((text) => text.split(/\s+/).filter((argument) => argument !== '')),
  // auto: only for an Engine of our own on a machine that cannot reach the public registry.
  RUNLET_EMBEDDED_REGISTRY: z.enum(['auto', 'always', 'never']).default('auto'),
  // Where the `runlet` command is linked; default /usr/local/bin if that is writable, else ~/.local/bin.
  RUNLET_BIN_DIR: z.string().min(1).optional(),
  // How long runs may go on after the first Ctrl-C. Ten seconds, as for `docker stop`.
  RUNLET_DRAIN_MS: z.coerce.number().int().min(0).max(3_600_000).default(10_000),
  // The first start of the services is slow on a machine that is busy with installing. A minute is far above any time that we have seen.
  RUNLET_START_TIMEOUT_MS: z.coerce.number().int().min(1_000).max(3_600_000).default(60_000),
});

export interface Settings {
  root: string;
  dataDir: string;
  configDir: string;
  host: string;
  port: number;
  /** The URL by which a client on this machine reaches the gateway. */
  url: string;
  redisUrl: string | undefined;
  apiKey: string | undefined;
  secretKey: string | undefined;
  engine: 'auto' | 'own';
  runscArgs: string[];
  embeddedRegistry: 'auto' | 'always' | 'never';
  binDir: string | undefined;
  drainMs: number;
  startTimeoutMs: number;
}

/** Reads the settings, and makes the data folder. A wrong value throws with its name. */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const parsed = startEnvironment.safeParse(env);
  if (!parsed.success) {
    const wrong = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`These environment variables are not right:\n${wrong.join('\n')}`);
  }
  const own = parsed.data;
  const dataDir = dataFolder(env);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  return {
    root: dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
    dataDir: realpathSync(dataDir),
    configDir: own.RUNLET_CONFIG_DIR ?? join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'runlet'),
    host: own.RUNLET_HOST,
    port: own.RUNLET_PORT,
    url: `http://${reachable(own.RUNLET_HOST)}:${own.RUNLET_PORT}`,
    redisUrl: own.RUNLET_REDIS_URL,
    apiKey: own.RUNLET_API_KEY,
    secretKey: own.RUNLET_SECRET_KEY,
    engine: own.RUNLET_ENGINE,
    runscArgs: own.RUNLET_RUNSC_ARGS,
    embeddedRegistry: own.RUNLET_EMBEDDED_REGISTRY,
    binDir: own.RUNLET_BIN_DIR,
    drainMs: own.RUNLET_DRAIN_MS,
    startTimeoutMs: own.RUNLET_START_TIMEOUT_MS,
  };
}

/** A client cannot call "all addresses", so it gets loopback instead. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
