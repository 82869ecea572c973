import type { Say } from '../parts/say.ts';
import { type CallingUser, configOf, readAsUser, writeAsUser } from './calling-user.ts';
import type { ApiKey } from './keys.ts';
import { isLocal } from './keys.ts';
import type { Settings } from './settings.ts';

/** Whether the gateway takes this key. */
export async function keyOpens(url: string, key: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/v1/runs?limit=1`, {
      headers: { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(5_000),
    });
    await answer.body?.cancel();
    return answer.status !== 401;
  } catch {
    // Nothing is known of it; whoever uses it will see.
    return true;
  }
}

/**
 * `sudo npm start`: the key is root's, and it is the calling user who goes on to use the CLI. A config of theirs that speaks of a Runlet
 * elsewhere stays, and so does a key that opens this one.
 */
export async function shareKey(
  settings: Settings,
  { key, file }: ApiKey,
  user: CallingUser | undefined,
  say: Say,
): Promise<void> {
  // One that the environment gave is the operator's to hand on.
  if (user === undefined || file === undefined) return;
  const path = configOf(user);
  if (file === path) return;
  try {
    const text = readAsUser(user, path);
    const kept =
      text === undefined || text.trim() === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    const { url, apiKey } = kept;
    if (typeof url === 'string' && !isLocal(url, settings)) return;
    if (apiKey === key && url === settings.url) return;
    if (typeof apiKey === 'string' && apiKey !== '' && (await keyOpens(settings.url, apiKey))) return;
    writeAsUser(user, path, `${JSON.stringify({ ...kept, url: settings.url, apiKey: key }, null, 2)}\n`);
    say(`Kept the key for ${user.name}, too, in ${path}`);
  } catch (error) {
    // The server runs without it.
    say(`Could not keep the key in ${path} (${(error as Error).message}): runlet login stores it.`);
  }
}
