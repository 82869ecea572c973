import { badField } from '../../../shared/problems.ts';

/**
 * The key of an `Idempotency-Key` header, bare or as a structured field's string (RFC 8941 §3.3.3): both spellings
 * name the same key.
 */
export function idempotencyKey(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const quoted = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/.exec(value);
  const key = quoted === null ? value : (quoted[1] ?? '').replace(/\\(["\\])/g, '$1');
  if (!/^[\x21-\x7e]{1,255}$/.test(key) || (quoted === null && value.startsWith('"')))
    throw badField('Idempotency-Key', 'must be 1 to 255 visible ASCII characters, bare or in double quotes');
  return key;
}
