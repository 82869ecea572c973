import { badField } from '../../../shared/problems.ts';
import { tokenName } from './signed-url.ts';

/**
 * The URL of a path of a service, with the token. Whatever the path is, the URL is of the service's own origin: resolved as a reference,
 * `//other.example/` would lead to another host, which would get the token. The query is not changed.
 */
export function signedUrl(service: string, path: string, token: string): string {
  const { origin } = new URL(service);
  // A backslash is a slash to browsers.
  const asked = new URL(`${origin}${path.replaceAll('\\', '%5C')}`);
  if (asked.searchParams.has(tokenName)) asked.searchParams.delete(tokenName);
  const target = `${asked.pathname}${asked.search}`;
  const url = `${origin}${target}${target.includes('?') ? '&' : '?'}${tokenName}=${token}${asked.hash}`;
  if (new URL(url).origin !== origin) throw badField('path', 'leads to another host');
  return url;
}
