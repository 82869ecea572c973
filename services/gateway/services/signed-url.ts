import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/** The query parameter and the cookie that carry the token of a signed URL. */
export const tokenName = 'runlet_token';

/** What a valid token says: it is for this service, signed by us, and not expired. */
export type ServiceToken = {
  /** When it expires, in ms. */
  until: number;
  /** The API key that it was made with; undefined in tokens of an earlier version. */
  keyId: string | undefined;
};

/**
 * Tokens of signed URLs: whoever has one may call one service until the token expires, or the API key ends that it was made with. HMAC-SHA256
 * (RFC 2104) under a key of its own, derived from RUNLET_SECRET_KEY (RFC 5869).
 */
export function signService(
  secretKey: string,
  serviceId: string,
  expiresAtMs: number,
  keyId?: string,
): string {
  const body = `${expiresAtMs.toString(36)}${keyId === undefined ? '' : `.${keyId}`}`;
  return `${body}.${mac(secretKey, serviceId, body)}`;
}

/** `undefined` if the token is not valid for this service now. */
export function verifyServiceToken(
  secretKey: string,
  serviceId: string,
  token: string,
  now = Date.now(),
): ServiceToken | undefined {
  const dot = Math.max(0, token.lastIndexOf('.'));
  const body = token.slice(0, dot);
  const wanted = Buffer.from(mac(secretKey, serviceId, body));
  const found = Buffer.from(token.slice(dot + 1));
  if (found.length !== wanted.length || !timingSafeEqual(found, wanted)) return undefined;
  const [expiresAt = '', keyId] = body.split('.');
  const until = Number.parseInt(expiresAt, 36);
  return until > now ? { until, keyId } : undefined;
}

function mac(secretKey: string, serviceId: string, body: string): string {
  return createHmac('sha256', keyOf(secretKey)).update(`${serviceId}.${body}`).digest('base64url');
}

/** Derived once: a program has one secret key. */
let derived: { from: string; key: Buffer } | undefined;

function keyOf(secretKey: string): Buffer {
  if (derived?.from !== secretKey)
    derived = {
      from: secretKey,
      key: Buffer.from(hkdfSync('sha256', secretKey, 'runlet', 'service-url-v1', 32)),
    };
  return derived.key;
}
