/** One way to log in that a registry names (RFC 9110 §11.3), its parameters' names in lower case. */
export type Challenge = { scheme: string; parameters: Map<string, string> };

/** An honest registry names one or two. */
const most = 8;

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/.source;
const piece = new RegExp(
  `(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]*))|(${token})(?=\\s|$)`,
  'gs',
);

/**
 * What stands in `WWW-Authenticate`, leniently: whatever some client could take for a parameter is one. A scheme is a word without "=".
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
      // A second realm is one more that somebody may be sent to.
      if (current.parameters.has(name.toLowerCase())) {
        current = { scheme: current.scheme, parameters: new Map() };
        found.push(current);
      }
      current.parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/gs, '$1') ?? plain ?? '');
    }
    if (found.length > most) throw new RangeError(`more than ${most} challenges`);
  }
  return found;
}
