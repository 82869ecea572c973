import { Problem } from '../../../../shared/problems.ts';
import type { Identity } from '../../../../shared/stores/api-keys.ts';
import type { ServiceHead } from '../../../../shared/stores/service-record.ts';
import { verifyServiceToken } from '../../services/signed-url.ts';
import type { RequestFields } from '../clients/request-fields.ts';
import { after } from '../maybe-async.ts';
import type { KnownKeys } from './api-keys.ts';
import { bearerOf, isRunletKey, tokenInQuery } from './credentials.ts';

/** How a request may go on. */
export type Pass = {
  /** The Authorization field is for the service, not for us. */
  passAuthorization: boolean;
  /** The token of a signed URL that a browser has followed: it is to become a cookie. Until when, in ms. */
  keep: { token: string; until: number } | undefined;
  /** Calls back when the key ends that let it in; the answer ends that. */
  hold: (whenOver: () => void) => () => void;
};

export type Requested = { method: string; host: string; target: string; fields: RequestFields };

/** A token that lets in, and the key that it was made with. */
type Living = { token: string; until: number; by: Identity | undefined };

type Credentials = { identity: Identity | undefined; query: Living | undefined; cookie: Living | undefined };

const forEver = () => () => {};

/**
 * Lets in whoever may call the service: anybody, if it is public; else who has an API key of its tenant or a token of a signed URL for
 * it, in the query or as a cookie. What is to be answered otherwise says nothing of the service: neither that there is one, nor that there
 * is none; nor does the time that it takes, for the same is done either way.
 */
export function accessTo(keys: KnownKeys, secretKey: string) {
  /** The first of these tokens that is good, and whose key is. */
  function living(
    head: ServiceHead | undefined,
    tokens: readonly string[],
  ): Living | undefined | Promise<Living | undefined> {
    const [token, ...others] = tokens;
    if (token === undefined) return undefined;
    const found = verifyServiceToken(secretKey, head?.id ?? '', token);
    if (head === undefined || found === undefined) return living(head, others);
    const { until, keyId } = found;
    if (keyId === undefined) return { token, until, by: undefined };
    return after(keys.byId(keyId), (by) => (by === undefined ? living(head, others) : { token, until, by }));
  }

  return {
    /** Whose key a request has, whatever it is for. */
    whose({
      authorization,
      authorizations,
    }: RequestFields): Identity | undefined | Promise<Identity | undefined> {
      // Which of two would count is a matter of taste, and the other would go on to the container.
      if (authorizations > 1)
        throw new Problem('validation_failed', 'Authorization stands twice (RFC 9110 §5.3).');
      const bearer = authorization === undefined ? undefined : bearerOf(authorization);
      // For a public service too: whatever it says of itself, a key that opens Runlet is not for it.
      return bearer === undefined ? undefined : keys.byToken(bearer);
    },

    /**
     * `undefined`: it is refused.
     *
     * @param head undefined: there is no such service
     */
    admit(
      head: ServiceHead | undefined,
      request: Requested,
      identity: Identity | undefined,
    ): Pass | undefined | Promise<Pass | undefined> {
      const { tokens } = request.fields;
      const { token } = tokenInQuery(request.target);
      return after(token === undefined ? undefined : living(head, [token]), (query) =>
        after(needsCookie(head, identity, query) ? living(head, tokens) : undefined, (cookie) => {
          const admitted = admit(head, request, { identity, query, cookie });
          if (admitted === undefined) return undefined;
          const { by, ...pass } = admitted;
          return { ...pass, hold: by === undefined ? forEver : (whenOver) => keys.hold(by, whenOver) };
        }),
      );
    },
  };
}

export type Access = ReturnType<typeof accessTo>;

const needsCookie = (
  head: ServiceHead | undefined,
  identity: Identity | undefined,
  query: Living | undefined,
) =>
  !head?.request.public &&
  query === undefined &&
  (identity === undefined || identity.tenant !== head?.tenant);

function admit(
  head: ServiceHead | undefined,
  { method, host, fields }: Requested,
  { identity, query, cookie }: Credentials,
): (Omit<Pass, 'hold'> & { by: Identity | undefined }) | undefined {
  const { authorization = '', mode, wantsHtml } = fields;
  if (head === undefined) return undefined;
  const navigates = method === 'GET' && (mode === undefined ? wantsHtml : mode === 'navigate');
  const pass = {
    passAuthorization: identity === undefined && !isRunletKey(authorization),
    keep: query !== undefined && navigates ? query : undefined,
  };
  if (head.request.public) return { ...pass, by: undefined };
  if (identity?.tenant === head.tenant) return { ...pass, by: identity };
  if (query !== undefined) return { ...pass, by: query.by };
  if (cookie !== undefined && !isStrange(method, host, fields)) return { ...pass, by: cookie.by };
  return undefined;
}

/** What is answered to who may not go on. It depends on what the request brings, and on nothing else. */
export function refusal(
  identity: Identity | undefined,
  { target, fields: { tokens } }: Pick<Requested, 'target' | 'fields'>,
): Problem {
  if (identity !== undefined)
    return new Problem('not_found', 'There is no service of yours here: see GET /v1/services.');
  return new Problem(
    'unauthorized',
    tokenInQuery(target).token !== undefined || tokens.length > 0
      ? 'This signed URL has expired, was made with an API key that is no more, or is not one of a service here: ask for a new one, or send an API key as `Authorization: Bearer <key>`.'
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
