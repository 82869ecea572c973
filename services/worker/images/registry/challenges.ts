/** One way to log in that a registry names (RFC 9110 §11.3), its parameters' names in lower case. */
export type Challenge = { scheme: string; parameters: Map<string, string> };

/** An honest registry names one or two. */
const maxChallenges = 8;

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/.source;
const piece = new RegExp(
  `(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]*))|(${token})(?=\\s|$)`,
  'gs',
);

/**
 * Reads `WWW-Authenticate` leniently: what any client could take for a parameter is one here. A scheme is a word without "=".
 *
 * @param lines the field's lines
 */
export function challengesIn(lines: string[]): Challenge[] {
  const found: Challenge[] = [];
  for (const line of lines) {
    let current: Challenge | undefined;
    for (const [, name, quoted, plain, scheme] of line.matchAll(piece)) {
      if (scheme !== undefined || current === undefined) {
        current = { scheme: scheme?.toLowerCase() ?? '', parameters: new Map() };
        found.push(current);
      }
      if (name === undefined) continue;
      // Of two realms in one challenge a client may ask either: each is a challenge of its own.
      if (current.parameters.has(name.toLowerCase())) {
        current = { scheme: current.scheme, parameters: new Map() };
        found.push(current);
      }
      current.parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/gs, '$1') ?? plain ?? '');
    }
    if (found.length > maxChallenges) throw new RangeError(`more than ${maxChallenges} challenges`);
  }
  return found;
}
