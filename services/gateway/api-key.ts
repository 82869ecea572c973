import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { newId } from '../../shared/ids.ts';
import type { ApiKeyStore, Identity } from '../../shared/stores/api-keys.ts';
import type { GatewayEnvironment } from './environment.ts';

/** Where the CLI looks for the address and the key. */
function configFile(
  env: Pick<GatewayEnvironment, 'RUNLET_CONFIG_DIR'>,
  environment: NodeJS.ProcessEnv,
): string {
  const folder =
    env.RUNLET_CONFIG_DIR ?? join(environment.XDG_CONFIG_HOME || join(homedir(), '.config'), 'runlet');
  return join(folder, 'config.json');
}

/**
 * There is an admin key before anybody asks: the operator's own, or, at the first start, one that is made, printed
 * once and kept for the CLI.
 */
export async function ensureApiKey(
  apiKeys: ApiKeyStore,
  env: GatewayEnvironment,
  address: string,
): Promise<void> {
  if (env.RUNLET_API_KEY !== undefined) {
    const known = await apiKeys.find(env.RUNLET_API_KEY);
    if (known === undefined) await apiKeys.put(env.RUNLET_API_KEY, admin());
    return;
  }
  const apiKey = `rlk_${randomBytes(24).toString('base64url')}`;
  const file = configFile(env, process.env);
  // Written before the key counts: a crash between the two must not leave a store whose only key nobody has.
  const draft = `${file}.${process.pid}`;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(draft, `${JSON.stringify({ ...(await read(file)), url: address, apiKey }, null, 2)}\n`, {
    mode: 0o600,
  });
  if (!(await apiKeys.putFirst(apiKey, admin()))) {
    await rm(draft, { force: true });
    return;
  }
  await rename(draft, file);
  process.stdout.write(
    `${JSON.stringify({ msg: 'admin key made; it is shown only once', apiKey, keptIn: file })}\n`,
  );
}

const admin = (): Identity => ({ keyId: newId('key'), tenant: 'default', role: 'admin' });

async function read(file: string): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
