import { isNoTrailer } from './field-kinds.ts';

/**
 * The fields that may be trailers (RFC 9110 §6.5.1), without those of the one connection.
 *
 * @param fields name, value, name, value
 * @param named by the Connection field, in lower case
 */
export function trailersOf(fields: readonly string[], named: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = (fields[i] as string).toLowerCase();
    if (!isNoTrailer(name) && !named.includes(name)) kept.push(fields[i] as string, fields[i + 1] as string);
  }
  return kept;
}
