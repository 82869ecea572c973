import { UsageError } from '../errors.ts';
import type { EnvironmentSource } from '../parse/env.ts';
import { readUserFile, type UserFile, userFilePath } from './user-file.ts';

export type Source = 'flag' | 'environment' | 'file' | 'default';

export type Config = {
  url: string;
  urlFrom: Source;
  apiKey: string | undefined;
  apiKeyFrom: Source | undefined;
  file: UserFile;
};

const defaultUrl = 'http://127.0.0.1:8080';

/**
 * Flags come before the environment, the environment before the user's file, the file before the default. Each value is
 * decided on its own.
 */
export function loadConfig(
  flags: { url?: string; apiKey?: string },
  env: EnvironmentSource = process.env,
): Config {
  const file = readUserFile(userFilePath(env));
  const [url, urlFrom] = first(flags.url, env.RUNLET_URL, file.url) ?? [defaultUrl, 'default' as const];
  const key = first(flags.apiKey, env.RUNLET_API_KEY, file.apiKey);
  return { url: checkUrl(url, urlFrom), urlFrom, apiKey: key?.[0], apiKeyFrom: key?.[1], file };
}

function first(
  flag: string | undefined,
  environment: string | undefined,
  file: string | undefined,
): [value: string, from: Source] | undefined {
  if (flag) return [flag, 'flag'];
  if (environment) return [environment, 'environment'];
  return file ? [file, 'file'] : undefined;
}

/** The address as requests need it. What was pasted from a browser or from the API's documentation is understood. */
export function checkUrl(text: string, from: Source): string {
  const url = parseUrl(text.trim(), from);
  if (url.username !== '' || url.password !== '')
    throw new UsageError('The server’s address must not hold a password: give the key with RUNLET_API_KEY.');
  // Runlet may be served under a path of a larger site. The paths of requests are appended to it, and they begin with /v1.
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '').replace(/\/(?:v1|docs|openapi\.json)$/, '');
}

function parseUrl(text: string, from: Source): URL {
  const whole = isNearby(text) ? `http://${text}` : text;
  if (/^https?:\/\//i.test(whole) && URL.canParse(whole)) return new URL(whole);
  const bare = URL.canParse(`https://${text}`) && !/^[a-z]+:\//i.test(text);
  throw new UsageError(
    bare
      ? `The server's address "${text}" (${from}) does not say how it is reached: write https://${text}, or http://${text}.`
      : `The server's address "${text}" (${from}) is not valid: give one like ${defaultUrl}.`,
  );
}

/** Without a scheme, an address of this machine or a bare IP address is meant as plain HTTP. A name elsewhere may be HTTPS. */
function isNearby(text: string): boolean {
  if (text.includes('://') || !URL.canParse(`http://${text}`)) return false;
  const { hostname } = new URL(`http://${text}`);
  return /^(?:[\w-]+\.)*localhost$|^\d+(?:\.\d+){3}$|^\[/.test(hostname);
}

/** Shows enough of the key to tell two keys apart, but never enough to use it. */
export function maskKey(key: string): string {
  return key.length < 16 ? '****' : `${key.slice(0, 4)}…${key.slice(-4)}`;
}

export const howToGetAKey =
  'Runlet prints one when it starts for the first time and keeps it in the user’s config folder. ' +
  'Elsewhere, have one made (`runlet keys add`, by an admin), and store it with `runlet login`, or set RUNLET_API_KEY.';
