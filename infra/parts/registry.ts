import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { ensureTools } from './apt.ts';
import { type Child, startChild } from './child.ts';
import type { ChildRegister } from './child-register.ts';
import { waitUntil } from './pids.ts';
import { freePort } from './ports.ts';
import type { Say } from './say.ts';
import { shortSocketPath } from './sockets.ts';

export interface RegistryFolder {
  /** Its configuration and its blobs live here, for this user alone. */
  folder: string;
  logFile: string;
  say: Say;
}

export interface RegistryOptions extends RegistryFolder {
  /** Taken if it is free, else any other. 0: any. */
  preferredPort?: number;
  /** Whoever reaches the port may pull and nothing else; images come by `openForPushes`. */
  readOnly?: boolean;
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
  const address = `127.0.0.1:${await freePort('127.0.0.1', options.preferredPort ?? 5000)}`;
  const passwords = join(options.folder, 'htpasswd');
  const child = await serve('config.yml', options, () => {
    if (options.htpasswd !== undefined) writeFileSync(passwords, options.htpasswd, { mode: 0o600 });
    return {
      storage: storageIn(options.folder, options.readOnly === true),
      http: { addr: address, headers: { 'X-Content-Type-Options': ['nosniff'] } },
      ...(options.htpasswd === undefined ? {} : { auth: { htpasswd: { realm: 'runlet', path: passwords } } }),
    };
  });
  await untilAnswers(child, () => answers(`http://${address}`), options);
  return { address, child };
}

/**
 * Opens the same folder to be written, at a unix socket in it: only who may enter the folder can push or delete. A process of its own beside
 * the one that serves the port, for as long as there is something to push; Distribution keeps nothing in memory of what lies in its folder.
 *
 * @returns where to push, and what ends it
 */
export async function openForPushes(
  options: RegistryFolder,
): Promise<{ socketPath: string; close: () => Promise<void> }> {
  // Two may push at a time.
  const name = `push-${process.pid}`;
  const socketPath = shortSocketPath(join(options.folder, `${name}.sock`));
  const child = await serve(`${name}.yml`, options, () => ({
    storage: storageIn(options.folder, false),
    http: { net: 'unix', addr: socketPath },
  }));
  const close = async () => {
    await child.stop();
    rmSync(socketPath, { force: true });
    rmSync(join(options.folder, `${name}.yml`), { force: true });
  };
  const agent = new Agent({ connect: { socketPath } });
  try {
    await untilAnswers(child, () => answers('http://registry', agent), options);
  } catch (error) {
    await close();
    throw error;
  } finally {
    await agent.close();
  }
  return { socketPath, close };
}

/** Without a cache in memory: another process may write to the folder. */
const storageIn = (folder: string, readOnly: boolean) => ({
  filesystem: { rootdirectory: join(folder, 'data') },
  delete: { enabled: !readOnly },
  maintenance: { readonly: { enabled: readOnly } },
});

async function serve(
  file: string,
  options: RegistryFolder & Pick<RegistryOptions, 'register' | 'onCrash'>,
  configuration: () => object,
): Promise<Child> {
  const [command] = await ensureTools([registryTool], options.say);
  mkdirSync(join(options.folder, 'data'), { recursive: true, mode: 0o700 });
  const path = join(options.folder, file);
  const log = { level: 'error', accesslog: { disabled: true } };
  // YAML is a superset of JSON, so JSON needs no quoting rules.
  writeFileSync(path, JSON.stringify({ version: '0.1', log, ...configuration() }, null, 2), { mode: 0o600 });
  return startChild({
    name: 'registry',
    command: command ?? 'docker-registry',
    args: ['serve', path],
    logFile: options.logFile,
    // REGISTRY_… variables would override the file.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('REGISTRY_'))),
    ...(options.register === undefined ? {} : { register: options.register }),
    ...(options.onCrash === undefined ? {} : { onCrash: options.onCrash }),
  });
}

async function untilAnswers(
  child: Child,
  ask: () => Promise<boolean>,
  { logFile }: RegistryFolder,
): Promise<void> {
  const ready = await waitUntil(async () => !child.isRunning() || (await ask()), 15_000, 20);
  if (ready && child.isRunning()) return;
  await child.stop();
  throw new Error(`The registry did not come up. The end of its log, ${logFile}:\n${child.tail()}`);
}

/** Does a registry answer there? One that asks for credentials does. */
async function answers(origin: string, dispatcher?: Agent): Promise<boolean> {
  try {
    const { statusCode, body } = await request(`${origin}/v2/`, {
      signal: AbortSignal.timeout(1_000),
      ...(dispatcher && { dispatcher }),
    });
    await body.dump();
    return statusCode === 200 || statusCode === 401;
  } catch {
    return false;
  }
}
