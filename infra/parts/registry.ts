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
  /** Its configuration and its blobs are here. Only this user can read them. */
  folder: string;
  logFile: string;
  say: Say;
}

export interface RegistryOptions extends RegistryFolder {
  /** This port is used if it is free, else any other. 0: any port. */
  preferredPort?: number;
  /** Clients of the port may only pull. Images are pushed by `openForPushes`. */
  readOnly?: boolean;
  /** The text of an htpasswd file (bcrypt only). If given, the registry asks for these credentials. */
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
 * Opens the same folder for writing, at a unix socket in it. So only users who may enter the folder can push or delete. It is a second
 * process beside the one that serves the port, and it runs only while there is something to push. Both can use one folder, since
 * Distribution keeps nothing of the folder's content in memory.
 *
 * @returns where to push, and how to end it
 */
export async function openForPushes(
  options: RegistryFolder,
): Promise<{ socketPath: string; close: () => Promise<void> }> {
  // Two processes may push at the same time, so each has its own name.
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

/** No cache in memory, since another process may write to the folder. */
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
    // Variables named REGISTRY_… would override the file.
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

/** Does a registry answer there? Asking for credentials is an answer too. */
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
