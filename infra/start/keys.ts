import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Settings } from './settings.ts';

export interface ApiKey {
  key: string;
  /** Whether it has just been made. Then it is shown, this one time. */
  isNew: boolean;
  /** The file where it is kept. Undefined if it came from the environment. */
  file: string | undefined;
  /** The gateway does not accept it any more, since it was revoked. */
  isRefused?: boolean;
}

interface ClientConfig {
  url?: string;
  apiKey?: string;
}

/** The key that encrypts secrets in Redis. It is made once and kept in the data folder, where only the owner can read it. */
export function secretKey(settings: Settings): string {
  if (settings.secretKey !== undefined) return settings.secretKey;
  const path = join(settings.dataDir, 'secret-key');
  const kept = readIfThere(path)?.trim();
  if (kept !== undefined && kept !== '') return kept;
  const made = randomBytes(32).toString('base64');
  writePrivate(path, `${made}\n`);
  return made;
}

/** The admin key. It comes from the environment, else from the CLI's config file, else it is made now and kept in that file. */
export function apiKey(settings: Settings): ApiKey {
  if (settings.apiKey !== undefined) return { key: settings.apiKey, isNew: false, file: undefined };
  const file = configFile(settings);
  const kept = readConfig(file);
  const key = kept.apiKey ?? `rlk_${randomBytes(24).toString('base64url')}`;
  if (kept.apiKey !== key || kept.url !== settings.url) {
    writePrivate(file, `${JSON.stringify({ ...kept, url: settings.url, apiKey: key }, null, 2)}\n`);
  }
  return { key, isNew: kept.apiKey === undefined, file };
}

/** The CLI's config file, unless it is for a Runlet on another machine: then we may neither use its key nor change its address. */
function configFile(settings: Settings): string {
  const usual = join(settings.configDir, 'config.json');
  const { url } = readConfig(usual);
  const isElsewhere = url !== undefined && !isLocal(url, settings);
  return isElsewhere ? join(settings.dataDir, 'config.json') : usual;
}

export function isLocal(url: string, settings: Settings): boolean {
  try {
    const host = new URL(url).hostname;
    return (
      host === 'localhost' ||
      host === '[::1]' ||
      host.startsWith('127.') ||
      host === new URL(settings.url).hostname
    );
  } catch {
    return true;
  }
}

function readConfig(path: string): ClientConfig {
  const text = readIfThere(path);
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as ClientConfig;
  } catch {
    throw new Error(
      `${path} is not valid JSON. Repair it, or remove it to have a new key made, then try again.`,
    );
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function writePrivate(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  chmodSync(`${path}.new`, 0o600);
  renameSync(`${path}.new`, path);
}
