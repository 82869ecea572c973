import { badField } from '../../../shared/problems.ts';

/**
 * Refuses a path or a query whose percent-escapes are no UTF-8 (RFC 3986 §2.5). Parsers would put U+FFFD in the place of what they
 * cannot read, or leave it as it is: the client would get another file, or another filter, than it asked for.
 *
 * @param endpoint its path as OpenAPI writes it, which names the parameters, and the one that may hold slashes
 */
export function refuseBadEscapes(url: string, endpoint: { path: string; rest?: string }): void {
  if (!url.includes('%')) return;
  const [, path = '', query = ''] = /^(?:[a-z]+:\/\/[^/?#]*)?([^?#]*)(?:\?([^#]*))?/i.exec(url) ?? [];
  const parts = path.split('/');
  for (const [index, name] of endpoint.path.split('/').entries()) {
    const field = /^\{(\w+)\}$/.exec(name)?.[1];
    if (field === undefined) continue;
    const part = field === endpoint.rest ? parts.slice(index).join('/') : (parts[index] ?? '');
    if (!isUtf8(part)) throw badField(field, fault);
  }
  for (const pair of query.split('&')) {
    if (isUtf8(pair)) continue;
    const [name = ''] = new URLSearchParams(pair).keys();
    throw badField(name.slice(0, 256), fault);
  }
}

const fault = 'has percent-escapes that are not valid UTF-8 (RFC 3986 §2.5): encode it as UTF-8';

/** A "%" that begins no escape stands for itself, as URLSearchParams has it. */
function isUtf8(escaped: string): boolean {
  try {
    decodeURIComponent(escaped.replace(/%(?![0-9a-f]{2})/gi, '%25'));
    return true;
  } catch {
    return false;
  }
}
