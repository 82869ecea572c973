import { Problem } from '../../../../shared/problems.ts';
import type { Identity } from '../../../../shared/stores/api-keys.ts';
import type { ServiceHead } from '../../../../shared/stores/service-record.ts';
import type { KnownKeys } from './api-keys.ts';
import { bearerOf, isRunletKey, tokenInQuery } from './credentials.ts';
import type { RequestFields } from './request-fields.ts';
import { verifyServiceToken } from './signed-url.ts';

/** How a request may go on. */
export type Pass = {
  /** The Authorization field is for the service, not for us. */
  passAuthorization: boolean;
  /** The token of a signed URL that a browser has followed: it is to become a cookie. Until when, in ms. */
  keep: { token: string; until: number } | undefined;
};

export type Requested = { method: string; host: string; target: string; fields: RequestFields };

/**
 * Lets in whoever may call the service: anybody, if it is public; else who has an API key of its tenant or a token of a signed URL for
 * it, in the query or as a cookie. Throws what is to be answered otherwise, which says nothing of the service: neither that there is one,
 * nor that there is none.
 *
 * @param head undefined: there is no such service
 */
export function accessTo(identify: KnownKeys, secretKey: string) {
  return (head: ServiceHead | undefined, request: Requested): Pass | Promise<Pass> => {
    const { authorization, authorizations } = request.fields;
    // Which of two would count is a matter of taste, and the other would go on to the container.
    if (authorizations > 1)
      throw new Problem('validation_failed', 'Authorization stands twice (RFC 9110 §5.3).');
    const bearer = authorization === undefined ? undefined : bearerOf(authorization);
    if (bearer === undefined) return admit(secretKey, head, request, undefined);
    // Of a public service too: whatever it says of itself, a key that opens Runlet is not for it.
    return identify(bearer).then((identity) => admit(secretKey, head, request, identity));
  };
}

export type Admit = ReturnType<typeof accessTo>;

function admit(
  secretKey: string,
  head: ServiceHead | undefined,
  { method, host, target, fields }: Requested,
  identity: Identity | undefined,
): Pass {
  const { authorization = '', tokens, mode, wantsHtml } = fields;
  const { token } = tokenInQuery(target);
  if (head === undefined) throw refusal(identity, fields, token);
  const pass: Pass = {
    passAuthorization: identity === undefined && !isRunletKey(authorization),
    keep: undefined,
  };
  const until = token && verifyServiceToken(secretKey, head.id, token);
  const navigates = method === 'GET' && (mode === undefined ? wantsHtml : mode === 'navigate');
  if (token && until && navigates) pass.keep = { token, until };
  if (until || head.request.public || identity?.tenant === head.tenant) return pass;
  const good = (cookie: string) => verifyServiceToken(secretKey, head.id, cookie) !== undefined;
  if (tokens.some(good) && !isStrange(method, host, fields)) return pass;
  throw refusal(identity, fields, token);
}

/** It depends on what the request brings, and on nothing else. */
function refusal(
  identity: Identity | undefined,
  { tokens }: RequestFields,
  token: string | undefined,
): Problem {
  if (identity !== undefined)
    return new Problem('not_found', 'There is no service of yours here: see GET /v1/services.');
  return new Problem(
    'unauthorized',
    token || tokens.length > 0
      ? 'This signed URL has expired, or is not one of a service here: ask for a new one, or send an API key as `Authorization: Bearer <key>`.'
      : 'What may be here is not public: send an API key of its owner as `Authorization: Bearer <key>`, or use a signed URL (POST /v1/services/{id}/url).',
  );
}

/**
 * Sent by a page of another origin. Services share a site, and so SameSite=Lax, where their domain is not on the public suffix list:
 * such a page may lead here by a link, and do nothing else with the cookie.
 */
function isStrange(method: string, host: string, { origin, site, mode }: RequestFields): boolean {
  const otherOrigin =
    origin !== undefined && origin.replace(/^https?:\/\//, '').toLowerCase() !== host.toLowerCase();
  const otherSite = site !== undefined && site !== 'same-origin' && site !== 'none';
  return otherOrigin || (otherSite && !(method === 'GET' && mode === 'navigate'));
}
