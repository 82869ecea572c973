import { cookieBelow } from './cookies.ts';
import { isOfOrigin } from './http1/field-kinds.ts';

/**
 * A service that is reached by path shares one origin with the API and with every other service. Its pages get an opaque origin
 * instead; fields that would act outside of its path are limited to it.
 */
const sandbox = 'sandbox allow-scripts allow-forms allow-popups allow-downloads';

/** @param authority the Host that was sent to the container */
export function confine(fields: readonly string[], prefix: string, authority: string): string[] {
  // Beside a policy of its own: of several, each must allow (CSP3 §8.1).
  const confined = ['Content-Security-Policy', sandbox];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    const lower = name.toLowerCase();
    if (isOfOrigin(lower)) continue;
    if (lower === 'set-cookie') {
      const cookie = cookieBelow(value, prefix);
      if (cookie !== undefined) confined.push(name, cookie);
    } else if (lower === 'location' || lower === 'content-location')
      confined.push(name, below(value, prefix, authority));
    else confined.push(name, value);
  }
  return confined;
}

/** A redirect to a path, or to the origin as the container knows it, is rewritten to lead below the prefix. */
function below(location: string, prefix: string, authority: string): string {
  const origin = /^https?:\/\/([^/?#]*)/i.exec(location);
  if (origin !== null && origin[1]?.toLowerCase() === authority.toLowerCase()) {
    const path = location.slice(origin[0].length);
    return prefix + (path.startsWith('/') ? path : `/${path}`);
  }
  const isPath = location.startsWith('/') && !location.startsWith('//');
  return isPath && !isBelow(location, prefix) ? prefix + location : location;
}

/** The container knows its prefix (X-Forwarded-Prefix), and has used it already. */
const isBelow = (path: string, prefix: string) => path === prefix || path.startsWith(`${prefix}/`);
