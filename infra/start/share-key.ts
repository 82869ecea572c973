import type { Say } from '../parts/say.ts';
import { type CallingUser, configOf, readAsUser, writeAsUser } from './calling-user.ts';
import type { ApiKey } from './keys.ts';
import { isLocal } from './keys.ts';
import type { Settings } from './settings.ts';

/** Whether the gateway accepts this key. */
export async function keyOpens(url: string, key: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/v1/runs?limit=1`, {
      headers: { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(5_000),
    });
    await answer.body?.cancel();
    return answer.status !== 401;
  } catch {
    // We cannot find out, so the key stays. If it is wrong, the user will see that at its first use.
    return true;
  }
}

/**
 * With `sudo npm start` the key is kept for root, but the calling user will use the CLI. So the key is also written to that user's config.
 * The config is not changed if it is for a Runlet on another machine, or if it already has a key that this Runlet accepts.
 *
 * @returns that user's config, if there is now a key in it that this Runlet accepts
 */
export async function shareKey(
  settings: Settings,
  { key, file }: ApiKey,
  user: CallingUser | undefined,
  say: Say,
): Promise<string | undefined> {
  // If the key came from the environment, the operator decides who gets it.
  if (user === undefined || file === undefined) return undefined;
  const path = configOf(user);
  if (file === path) return path;
  try {
    const text = readAsUser(user, path);
    const kept =
      text === undefined || text.trim() === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    const { url, apiKey } = kept;
    if (typeof url === 'string' && !isLocal(url, settings)) return undefined;
    if (apiKey === key && url === settings.url) return path;
    if (typeof apiKey === 'string' && apiKey !== '' && (await keyOpens(settings.url, apiKey))) return path;
    writeAsUser(user, path, `${JSON.stringify({ ...kept, url: settings.url, apiKey: key }, null, 2)}\n`);
    say(`Kept the key for ${user.name}, too, in ${path}`);
    return path;
  } catch (error) {
    // The server runs without this.
    say(`Could not keep the key in ${path} (${(error as Error).message}): runlet login stores it.`);
    return undefined;
  }
}
