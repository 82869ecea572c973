import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { newId } from '../../shared/ids.ts';
import { digestOf } from '../../shared/secrets.ts';
import type { GatewayEnvironment } from './environment.ts';
import type { Gateway } from './gateway.ts';
import { newApiKey } from './keyring/new-api-key.ts';
import type { ApiKeyStore, StoredKey } from './stores/api-keys.ts';
import type { BroughtKey } from './stores/gateways.ts';

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
 * Makes sure that there is an admin key: the operator's own, or the one that `npm start` keeps; or, at the first start, one that is
 * made, printed once and kept for the CLI.
 */
export async function ensureApiKey(
  { apiKeys, keyring, env, log }: Pick<Gateway, 'apiKeys' | 'keyring' | 'env' | 'log'>,
  address: string,
): Promise<void> {
  await apiKeys.indexIds();
  if (env.RUNLET_API_KEY !== undefined) {
    const status = await keyring.bring(await broughtKey(apiKeys, env.RUNLET_API_KEY));
    if (status === 'replaced' || status === 'revoked')
      log.warn(
        `RUNLET_API_KEY holds a key that was ${status === 'revoked' ? 'taken back' : 'replaced by a newer one'}: it opens nothing. Set another one.`,
      );
    return;
  }
  keyring.begin();
  if (env.RUNLET_KEPT_API_KEY !== undefined) {
    const outcome = await apiKeys.putAgain(env.RUNLET_KEPT_API_KEY, adminKey('first key'));
    if (outcome === 'revoked')
      log.warn(
        'The key in the config file was taken back: it opens nothing. `runlet login` stores another one.',
      );
    return;
  }
  await makeFirstKey(apiKeys, env, address);
}

async function broughtKey(apiKeys: ApiKeyStore, apiKey: string): Promise<BroughtKey> {
  const fresh = adminKey('RUNLET_API_KEY');
  const early = await apiKeys.findEarly(apiKey);
  const stored = early === undefined ? fresh : { ...fresh, ...early };
  return {
    digest: digestOf(apiKey),
    record: JSON.stringify(stored),
    keyId: stored.keyId,
    adopt: early !== undefined,
  };
}

async function makeFirstKey(apiKeys: ApiKeyStore, env: GatewayEnvironment, address: string): Promise<void> {
  const apiKey = newApiKey();
  const file = configFile(env, process.env);
  // The file is written before the key is stored: after a crash between the two, Redis must not hold a key that nobody has.
  const draft = `${file}.${process.pid}`;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(draft, `${JSON.stringify({ ...(await read(file)), url: address, apiKey }, null, 2)}\n`, {
    mode: 0o600,
  });
  if (!(await apiKeys.putFirst(apiKey, adminKey('first key')))) {
    await rm(draft, { force: true });
    return;
  }
  await rename(draft, file);
  process.stdout.write(
    `${JSON.stringify({ msg: 'admin key made; it is shown only once', apiKey, keptIn: file })}\n`,
  );
}

const adminKey = (name: string): StoredKey => ({
  keyId: newId('key'),
  tenant: 'default',
  role: 'admin',
  name,
  createdAt: new Date().toISOString(),
});

async function read(file: string): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
