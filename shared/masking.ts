/**
 * What opens a door, wherever it turns up in a text: keys and webhook secrets of ours by their form, tokens of signed URLs, credentials
 * of HTTP, and users and passwords in URLs. For lines of a log, of which nobody can say in advance what an error quotes.
 */
const secrets: [pattern: RegExp, shown: string][] = [
  [/rlk_[\w~.+/=-]+/gi, 'rlk_***'],
  [/whsec_[\w+/=-]+/gi, 'whsec_***'],
  [/runlet\.bearer\.[\w=-]+/g, 'runlet.bearer.***'],
  [/(runlet_token(?:=|%3D))[\w.~%-]+/gi, '$1***'],
  [/\b(Bearer|Basic|Digest)\s+[\w.~+/=-]{6,}/gi, '$1 ***'],
  // RFC 3986 §3.2.1; as it stands within JSON, too.
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s"'\\/?#@]+@/gi, '$1***@'],
  [/([?&](?:api_?key|key|token|access_token|secret|password|sig|signature)=)[^&\s"'\\]+/gi, '$1***'],
];

export function masked(text: string): string {
  let shown = text;
  for (const [pattern, stead] of secrets) shown = shown.replace(pattern, stead);
  return shown;
}

/** Whether a text holds something that is not to be written down. */
export const holdsSecret = (text: string): boolean => masked(text) !== text;
