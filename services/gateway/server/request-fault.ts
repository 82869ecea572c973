import type { IncomingMessage } from 'node:http';
import { badField, Problem } from '../../../shared/problems.ts';
import { isAuthority } from '../http/authority.ts';

/**
 * Refuses what Node's parser lets pass though two programs might read it differently: which host is asked, and where the body ends. For
 * the API and for services alike; the connection ends as well.
 */
export function requestFault(incoming: IncomingMessage): Problem | undefined {
  const { rawHeaders, method, httpVersionMinor, url = '' } = incoming;
  let hosts = 0;
  let host: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length !== 4 || rawHeaders[i]?.toLowerCase() !== 'host') continue;
    hosts += 1;
    host = rawHeaders[i + 1];
  }
  if (hosts > 1) return badField('Host', 'stands twice (RFC 9112 §3.2): send it once');
  // RFC 9112 §3.2: in HTTP/1.0 it may be missing.
  if (host === undefined && httpVersionMinor > 0)
    return badField('Host', 'is missing (RFC 9112 §3.2): send the name that the server is called by');
  if (host !== undefined && !isAuthority(host))
    return badField('Host', 'is no name or address of one host, with a port or without (RFC 9112 §3.2)');
  if (!isTarget(url, method))
    return new Problem(
      'bad_request',
      'The request’s target is neither a path nor an http URL (RFC 9112 §3.2): send a path that begins with "/".',
    );
  const coding = incoming.headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    return new Problem(
      'bad_request',
      'Only the transfer coding `chunked` is known here (RFC 9112 §7): send the body as it is.',
    );
  return undefined;
}

/** RFC 9112 §3.2: the origin form, the absolute form, or the asterisk of OPTIONS. */
function isTarget(url: string, method: string | undefined): boolean {
  if (url.startsWith('/')) return true;
  if (url === '*') return method === 'OPTIONS';
  const authority = /^https?:\/\/([^/?#]*)/i.exec(url)?.[1];
  return authority !== undefined && isAuthority(authority);
}
