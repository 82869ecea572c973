import type { IncomingMessage } from 'node:http';
import { compatNames } from '../compat-names.ts';

/** `/k/{key}/{protocol}/…`: for clients of other systems that can be given an address, and nothing else. */
const pattern = new RegExp(`^/k/([^/?#]{1,3072})(/(?:${compatNames.join('|')})(?:[/?].*)?)$`, 's');

/**
 * Takes an API key out of the path and puts it into Authorization, before anything looks at the request: so the path that is routed, or
 * may be logged, holds none. It takes the place of credentials that the client sent besides.
 */
export function takeKeyFromPath(incoming: IncomingMessage): void {
  const [, key, path] = pattern.exec(incoming.url ?? '') ?? [];
  if (key === undefined || path === undefined) return;
  incoming.url = path;
  const credentials = `Bearer ${decoded(key)}`;
  incoming.headers.authorization = credentials;
  const raw = incoming.rawHeaders;
  for (let i = raw.length - 2; i >= 0; i -= 2)
    if (raw[i]?.toLowerCase() === 'authorization') raw.splice(i, 2);
  raw.push('Authorization', credentials);
}

/** A key is visible ASCII: of anything else a key is made that nobody has. */
function decoded(key: string): string {
  try {
    const text = decodeURIComponent(key);
    return /^[\x21-\x7e]+$/.test(text) ? text : 'none';
  } catch {
    return 'none';
  }
}
