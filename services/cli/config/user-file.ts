import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { nearest } from '../../../shared/did-you-mean.ts';
import { UsageError } from '../errors.ts';
import type { EnvironmentSource } from '../parse/env.ts';

export type UserFile = {
  path: string;
  found: boolean;
  url: string | undefined;
  apiKey: string | undefined;
  /** Whether other users may read the file. The key in it is as good as a password. */
  exposed: boolean;
  /** What is wrong with fields that have no meaning, a sentence each. */
  faults: string[];
};

export function userFilePath(env: EnvironmentSource): string {
  const folder = env.RUNLET_CONFIG_DIR || join(env.XDG_CONFIG_HOME || join(home(), '.config'), 'runlet');
  return join(folder, 'config.json');
}

/** A container's user may have neither HOME nor an entry in passwd. Then `homedir` throws. */
function home(): string {
  try {
    return homedir();
  } catch {
    return '/';
  }
}

export function readUserFile(path: string): UserFile {
  const nothing: UserFile = {
    path,
    found: false,
    url: undefined,
    apiKey: undefined,
    exposed: false,
    faults: [],
  };
  let text: string;
  let mode: number;
  try {
    text = readFileSync(path, 'utf8');
    mode = statSync(path).mode;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return nothing;
    throw new UsageError(
      `${path} cannot be read (${code}): check who owns it, or set RUNLET_API_KEY instead.`,
    );
  }
  const { url, apiKey, faults } = parse(path, text);
  // Windows has no such permission bits. There the profile folder's own protection counts.
  const exposed = apiKey !== undefined && process.platform !== 'win32' && (mode & 0o077) !== 0;
  return { path, found: true, url, apiKey, exposed, faults };
}

const known = ['url', 'apiKey'];

function parse(path: string, text: string): Pick<UserFile, 'url' | 'apiKey' | 'faults'> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UsageError(`${path} is not valid JSON: repair it, or remove it and run \`runlet login\`.`);
  }
  const fields = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const optional = (name: string): string | undefined => {
    const field = fields[name];
    if (field === undefined || field === null || field === '') return undefined;
    if (typeof field !== 'string') throw new UsageError(`${path}: "${name}" must be a string.`);
    return field;
  };
  const strangers = Object.keys(fields).filter((name) => !known.includes(name));
  return {
    url: optional('url'),
    apiKey: optional('apiKey'),
    faults: strangers.map((name) => `${path} has an unknown field ${name}: ${meantBy(name)}`),
  };
}

/** `api_key` and `api-key` are the same name in the customs of others. */
function meantBy(name: string): string {
  const meant = nearest(name.replace(/[-_]/g, ''), known);
  return meant === undefined ? `it is ignored; there are ${known.join(' and ')}.` : `did you mean ${meant}?`;
}
