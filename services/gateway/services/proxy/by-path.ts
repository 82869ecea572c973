/**
 * A service that is reached by path shares the API's origin, and that of every other service. Its pages get an opaque origin
 * instead; what else would reach past its path is taken back below it.
 */
const sandbox = 'sandbox allow-scripts allow-forms allow-popups allow-downloads';

/** They speak for the whole origin. */
const forOrigin = new Set([
  'clear-site-data',
  'service-worker-allowed',
  'strict-transport-security',
  'public-key-pins',
]);

/** @param authority the Host that the container was told */
export function confine(fields: readonly string[], prefix: string, authority: string): string[] {
  // Beside a policy of its own: of several, each must allow (CSP3 §8.1).
  const confined = ['Content-Security-Policy', sandbox];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    const lower = name.toLowerCase();
    if (forOrigin.has(lower)) continue;
    if (lower === 'set-cookie') confined.push(name, cookieBelow(value, prefix));
    else if (lower === 'location' || lower === 'content-location')
      confined.push(name, below(value, prefix, authority));
    else confined.push(name, value);
  }
  return confined;
}

/** RFC 6265 §5.2: no domain, and a path below the prefix; else the cookie goes to every service here. */
function cookieBelow(cookie: string, prefix: string): string {
  let path: string | undefined;
  const kept = cookie.split(';').filter((attribute, i) => {
    if (i === 0) return true;
    const [name = '', value = ''] = attribute.split(/=(.*)/s).map((part) => part.trim());
    if (/^path$/i.test(name)) path = value;
    return !/^(path|domain)$/i.test(name);
  });
  const own = path?.startsWith('/') ? path : '/';
  return `${kept.join(';')}; Path=${isBelow(own, prefix) ? own : prefix + own}`;
}

/** A redirect to a path, or to what the container takes for its origin, stays on this way to it. */
function below(location: string, prefix: string, authority: string): string {
  const origin = /^https?:\/\/([^/?#]*)/i.exec(location);
  if (origin !== null && origin[1]?.toLowerCase() === authority.toLowerCase()) {
    const path = location.slice(origin[0].length);
    return prefix + (path.startsWith('/') ? path : `/${path}`);
  }
  const isPath = location.startsWith('/') && !location.startsWith('//');
  return isPath && !isBelow(location, prefix) ? prefix + location : location;
}

/** It knows its prefix (X-Forwarded-Prefix), and has written it. */
const isBelow = (path: string, prefix: string) => path === prefix || path.startsWith(`${prefix}/`);
