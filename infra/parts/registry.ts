import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureTools } from './apt.ts';
import { type Child, startChild } from './child.ts';
import type { ChildRegister } from './child-register.ts';
import { waitUntil } from './pids.ts';
import { freePort } from './ports.ts';
import type { Say } from './say.ts';

export interface RegistryOptions {
  /** Its configuration and its blobs live here. */
  folder: string;
  logFile: string;
  say: Say;
  /** Taken if it is free, else any other. 0: any. */
  preferredPort?: number;
  /** The text of an htpasswd file (bcrypt only): the registry asks for these credentials then. */
  htpasswd?: string;
  register?: ChildRegister;
  onCrash?: () => void;
}

export interface RunningRegistry {
  /** host:port, as in an image reference. */
  address: string;
  child: Child;
}

export const registryTool = {
  names: ['docker-registry', 'registry'] as [string, ...string[]],
  packages: ['docker-registry'] as [string, ...string[]],
};

/** Starts Distribution, the reference image registry, on loopback, and waits until it answers. */
export async function startRegistry(options: RegistryOptions): Promise<RunningRegistry> {
  const [command] = await ensureTools([registryTool], options.say);
  mkdirSync(join(options.folder, 'data'), { recursive: true, mode: 0o700 });
  const address = `127.0.0.1:${await freePort('127.0.0.1', options.preferredPort ?? 5000)}`;
  const config = join(options.folder, 'config.yml');
  writeFileSync(config, registryConfig(options, address), { mode: 0o600 });
  const child = await startChild({
    name: 'registry',
    command: command ?? 'docker-registry',
    args: ['serve', config],
    logFile: options.logFile,
    // REGISTRY_… variables would override the file.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('REGISTRY_'))),
    ...(options.register === undefined ? {} : { register: options.register }),
    ...(options.onCrash === undefined ? {} : { onCrash: options.onCrash }),
  });
  const ready = await waitUntil(async () => !child.isRunning() || (await answers(address)), 15_000, 20);
  if (!ready || !child.isRunning()) {
    await child.stop();
    throw new Error(`The registry did not come up. The end of its log, ${options.logFile}:\n${child.tail()}`);
  }
  return { address, child };
}

// YAML is a superset of JSON, so JSON needs no quoting rules.
function registryConfig(options: RegistryOptions, address: string): string {
  const passwords = join(options.folder, 'htpasswd');
  if (options.htpasswd !== undefined) writeFileSync(passwords, options.htpasswd, { mode: 0o600 });
  return JSON.stringify(
    {
      version: '0.1',
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(options.folder, 'data') }, delete: { enabled: true } },
      http: { addr: address, headers: { 'X-Content-Type-Options': ['nosniff'] } },
      ...(options.htpasswd === undefined ? {} : { auth: { htpasswd: { realm: 'runlet', path: passwords } } }),
    },
    null,
    2,
  );
}

/** Does a registry answer there? One that asks for credentials does. */
async function answers(address: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${address}/v2/`, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.ok || response.status === 401;
  } catch {
    return false;
  }
}
