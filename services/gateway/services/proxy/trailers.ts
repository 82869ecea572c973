/**
 * What no trailer may be (RFC 9110 §6.5.1): a recipient that took it for one of the head would be told of another framing, another
 * host, another caller.
 */
const forbidden =
  /^(?:transfer-encoding|content-length|content-encoding|content-range|content-type|host|connection|keep-alive|proxy-connection|upgrade|te|trailer|expect|authorization|proxy-authorization|cookie|set-cookie|forwarded|x-forwarded-.*|x-real-ip)$/i;

/** @param fields name, value, name, value */
export function trailersOf(fields: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2)
    if (!forbidden.test(fields[i] as string)) kept.push(fields[i] as string, fields[i + 1] as string);
  return kept;
}
