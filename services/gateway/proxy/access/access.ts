import { Problem } from '../../../../shared/problems.ts';
import type { ServiceHead } from '../../../../shared/stores/service-record.ts';
import { verifyServiceToken } from '../../services/signed-url.ts';
import type { Identity } from '../../stores/api-keys.ts';
import type { RequestFields } from '../clients/request-fields.ts';
import { after } from '../maybe-async.ts';
import type { KnownKeys } from './api-keys.ts';
import { bearerOf, isRunletKey, tokenInQuery } from './credentials.ts';

/** For a request that may go on. */
export type Pass = {
  /** The Authorization field is for the service, not for us. */
  passAuthorization: boolean;
  /** The token of a signed URL that a browser has followed: it is made a cookie. `until` in ms. */
  keep: { token: string; until: number } | undefined;
  /** Calls back when the key ends that the request was accepted with; call the function that it returns when the request is over. */
  hold: (whenOver: () => void) => () => void;
};

export type Requested = { method: string; host: string; target: string; fields: RequestFields };

/** A valid token, and the API key that it was made with. */
type ValidToken = { token: string; until: number; by: Identity | undefined };

type Credentials = {
  identity: Identity | undefined;
  query: ValidToken | undefined;
  cookie: ValidToken | undefined;
};

const neverEnds = () => () => {};

/**
 * Accepts requests of whoever may call the service: anybody, if it is public; else whoever has an API key of its tenant or a signed-URL token for
 * it, in the query or as a cookie. A refusal tells nothing of the service: neither that it exists, nor that it does not; nor does the time
 * that it takes, since the same work is done either way.
 */
export function createAccess(keys: KnownKeys, secretKey: string) {
  /** The first of these tokens that is valid, with a valid key. */
  function firstValid(
    head: ServiceHead | undefined,
    tokens: readonly string[],
  ): ValidToken | undefined | Promise<ValidToken | undefined> {
    const [token, ...others] = tokens;
    if (token === undefined) return undefined;
    const found = verifyServiceToken(secretKey, head?.id ?? '', token);
    if (head === undefined || found === undefined) return firstValid(head, others);
    const { until, keyId } = found;
    if (keyId === undefined) return { token, until, by: undefined };
    return after(keys.byId(keyId), (by) =>
      by === undefined ? firstValid(head, others) : { token, until, by },
    );
  }

  return {
    /** Whose key a request has, whatever it is for. */
    whose({
      authorization,
      authorizations,
    }: RequestFields): Identity | undefined | Promise<Identity | undefined> {
      // Programs disagree about which of two counts, and the other one would go on to the container.
      if (authorizations > 1)
        throw new Problem('validation_failed', 'Authorization stands twice (RFC 9110 §5.3).');
      const bearer = authorization === undefined ? undefined : bearerOf(authorization);
      // Also for a public service: it must never get a key of Runlet's.
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
      return after(token === undefined ? undefined : firstValid(head, [token]), (query) =>
        after(needsCookie(head, identity, query) ? firstValid(head, tokens) : undefined, (cookie) => {
          const admitted = admit(head, request, { identity, query, cookie });
          if (admitted === undefined) return undefined;
          const { by, ...pass } = admitted;
          return { ...pass, hold: by === undefined ? neverEnds : (whenOver) => keys.hold(by, whenOver) };
        }),
      );
    },
  };
}

export type Access = ReturnType<typeof createAccess>;

const needsCookie = (
  head: ServiceHead | undefined,
  identity: Identity | undefined,
  query: ValidToken | undefined,
) =>
  !head?.request.public &&
  query === undefined &&
  (identity === undefined || identity.tenant !== head?.tenant);

function admit(
  head: ServiceHead | undefined,
  { method, host, fields }: Requested,
  { identity, query, cookie }: Credentials,
): (Omit<Pass, 'hold'> & { by: Identity | undefined }) | undefined {
  const { authorization = '' } = fields;
  if (head === undefined) return undefined;
  const pass = {
    passAuthorization: identity === undefined && !isRunletKey(authorization),
    keep: query !== undefined && method === 'GET' && navigates(fields) ? query : undefined,
  };
  if (head.request.public) return { ...pass, by: undefined };
  if (identity?.tenant === head.tenant) return { ...pass, by: identity };
  if (query !== undefined) return { ...pass, by: query.by };
  if (cookie !== undefined && !isCrossOrigin(method, host, fields)) return { ...pass, by: cookie.by };
  return undefined;
}

/** Whether it is for a page that a browser is to show. */
export const navigates = ({ mode, wantsHtml }: Pick<RequestFields, 'mode' | 'wantsHtml'>): boolean =>
  mode === undefined ? wantsHtml : mode === 'navigate';

/**
 * What is answered to who may not go on. It depends on what the request brings, and on nothing else.
 *
 * @param asked what the request calls the service
 */
export function refusal(
  identity: Identity | undefined,
  { target, fields: { tokens } }: Pick<Requested, 'target' | 'fields'>,
  asked: string,
): Problem {
  if (identity !== undefined)
    return new Problem('not_found', `There is no service ${asked} of yours here: see GET /v1/services.`);
  return new Problem(
    'unauthorized',
    tokenInQuery(target).token !== undefined || tokens.length > 0
      ? 'This signed URL has expired, was made with an API key that is no more, or is not one of a service here: ask for a new one, or send an API key as `Authorization: Bearer <key>`.'
      : 'What may be here is not public: send an API key of its owner as `Authorization: Bearer <key>`, or use a signed URL (POST /v1/services/{id}/url).',
  );
}

/**
 * Whether a page of another origin sent it. Services share one site where their domain is not on the public suffix list, so SameSite=Lax does
 * not keep them apart: such a page may link to a service, and may not use the cookie for anything else.
 */
function isCrossOrigin(method: string, host: string, { origin, site, mode }: RequestFields): boolean {
  const otherOrigin =
    origin !== undefined && origin.replace(/^https?:\/\//, '').toLowerCase() !== host.toLowerCase();
  const otherSite = site !== undefined && site !== 'same-origin' && site !== 'none';
  return otherOrigin || (otherSite && !(method === 'GET' && mode === 'navigate'));
}
