import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/**
 * Tokens of signed URLs: who has one may call one service until it expires. HMAC-SHA256 (RFC 2104) under a key of its own, derived
 * from RUNLET_SECRET_KEY (RFC 5869).
 */
export function signService(secretKey: string, serviceId: string, expiresAtMs: number): string {
  const body = expiresAtMs.toString(36);
  return `${body}.${mac(secretKey, serviceId, body)}`;
}

/** When the token expires, in ms; `undefined` for one that is not good for this service now. */
export function verifyServiceToken(
  secretKey: string,
  serviceId: string,
  token: string,
  now = Date.now(),
): number | undefined {
  const dot = token.indexOf('.');
  const body = token.slice(0, Math.max(0, dot));
  const wanted = Buffer.from(mac(secretKey, serviceId, body));
  const found = Buffer.from(token.slice(dot + 1));
  if (found.length !== wanted.length || !timingSafeEqual(found, wanted)) return undefined;
  const expiresAt = Number.parseInt(body, 36);
  return expiresAt > now ? expiresAt : undefined;
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
