/**
 * Finds secrets anywhere in a text: our own keys and webhook secrets by their form, tokens in signed URLs, HTTP credentials,
 * and users and passwords in URLs. It is used for log lines, because nobody knows in advance what an error message quotes.
 */
const secrets: [pattern: RegExp, shown: string][] = [
  [/rlk_[\w~.+/=-]+/gi, 'rlk_***'],
  [/whsec_[\w+/=-]+/gi, 'whsec_***'],
  [/runlet\.bearer\.[\w=-]+/g, 'runlet.bearer.***'],
  [/(runlet_token(?:=|%3D))[\w.~%-]+/gi, '$1***'],
  [/\b(Bearer|Basic|Digest)\s+[\w.~+/=-]{6,}/gi, '$1 ***'],
  // RFC 3986 §3.2.1. It also matches inside JSON.
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s"'\\/?#@]+@/gi, '$1***@'],
  [/([?&](?:api_?key|key|token|access_token|secret|password|sig|signature)=)[^&\s"'\\]+/gi, '$1***'],
];

export function masked(text: string): string {
  let shown = text;
  for (const [pattern, stead] of secrets) shown = shown.replace(pattern, stead);
  return shown;
}

/** True if a text holds something that must not be written down. */
export const holdsSecret = (text: string): boolean => masked(text) !== text;
