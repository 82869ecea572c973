import { bearerProtocol } from '../../../../shared/contracts/attach.ts';
import { tokenName } from '../../services/signed-url.ts';

/** RFC 6750 §2.1 */
export const bearerOf = (authorization: string): string | undefined =>
  /^Bearer +([\x21-\x7e]{1,1024}) *$/i.exec(authorization)?.[1];

/** Runlet's own keys are recognised by their form, whoever owns them. */
export const isRunletKey = (authorization: string) => /^Bearer +rlk_/i.test(authorization);

/** The token in a target or URL, and the same without it. */
export function tokenInQuery(target: string): { token: string | undefined; target: string } {
  const at = target.indexOf('?');
  if (at === -1 || !target.includes(tokenName, at)) return { token: undefined, target };
  let token: string | undefined;
  const kept = target
    .slice(at + 1)
    .split('&')
    .filter((pair) => {
      const [name, value] = pair.split('=', 2);
      if (name !== tokenName) return true;
      token ??= value ?? '';
      return false;
    })
    .join('&');
  return { token, target: kept === '' ? target.slice(0, at) : `${target.slice(0, at)}?${kept}` };
}

/** The tokens among the cookies (RFC 6265 §4.2), and the cookies without them. */
export function tokensInCookie(cookie: string): { tokens: string[]; cookie: string } {
  if (!cookie.includes(tokenName)) return { tokens: [], cookie };
  const tokens: string[] = [];
  const kept = cookie.split(';').filter((pair) => {
    const [name = '', value = ''] = pair.trim().split('=', 2);
    if (name !== tokenName) return true;
    tokens.push(value);
    return false;
  });
  return { tokens, cookie: kept.join(';').trim() };
}

/** Removes the API key that browsers send as a subprotocol of a WebSocket to our own routes. */
export function withoutKey(protocols: string): string {
  if (!protocols.includes(bearerProtocol)) return protocols;
  const kept = protocols.split(',').filter((protocol) => !protocol.trim().startsWith(bearerProtocol));
  return kept.join(',').trim();
}
