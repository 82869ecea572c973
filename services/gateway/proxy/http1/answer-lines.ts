import { isToken, parseFields, withoutSpace } from './fields.ts';

/** What is wrong with a head, with the line, for whoever runs the container. */
export type Fault = { fault: string };

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const control = /[\x00-\x08\x0b-\x1f\x7f]/;
const maxShown = 60;

/** A short printable part of a head, in quotes. */
export function excerpt(text: string): string {
  const some = text.slice(0, maxShown);
  const shown = some.replace(
    /[^\x20-\x7e]/g,
    (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return `"${shown}${text.length > maxShown ? '…' : ''}"`;
}

/**
 * The fields of an answer's head. This is less strict than for requests (fields.ts): a container is one program, known to its owner, and
 * its answer is written again for the client, so that no two programs read it differently. What RFC 9112 allows a recipient to accept is accepted:
 *
 *   lines that end with LF alone             §2.2
 *   space between a name and its colon       §5.1: a proxy must remove it from an answer
 *   folded lines (obs-fold)                  §5.2: a proxy must make spaces of them, or answer 502
 *
 * What can be read in two ways is refused: a CR without LF (§2.2; a line end to some, a space to others), a space before the first field
 * (§2.2; some drop that line, others read it), NUL and other control characters (RFC 9110 §5.5), invalid names. llhttp, however
 * lenient, refuses the latter two as well.
 *
 * @param from where the line below the first one begins
 */
export function parseAnswerFields(
  head: string,
  from: number,
  of: 'head' | 'trailers' = 'head',
): string[] | Fault {
  const strict = parseFields(head, from);
  if (strict !== undefined) return strict;
  const fields: string[] = [];
  for (let at = from, number = from === 0 ? 1 : 2; at < head.length; number += 1) {
    const lf = head.indexOf('\n', at);
    const end = lf === -1 ? head.length : lf;
    const line = head.slice(at, lf > at && head[lf - 1] === '\r' ? lf - 1 : end);
    at = end + 1;
    const fault = takeLine(line, fields);
    if (fault !== undefined) return { fault: `line ${number} of its ${of}, ${excerpt(line)}, ${fault}` };
  }
  return fields;
}

function takeLine(line: string, fields: string[]): string | undefined {
  const odd = control.exec(line)?.[0];
  if (odd === '\r') return 'holds a CR that ends no line';
  if (odd !== undefined) return 'holds a control character';
  if (line.startsWith(' ') || line.startsWith('\t')) {
    const value = fields.pop();
    if (value === undefined) return 'begins with a space, and folds no field';
    const more = withoutSpace(line, 0, line.length);
    fields.push(value === '' || more === '' ? value + more : `${value} ${more}`);
    return undefined;
  }
  const colon = line.indexOf(':');
  if (colon === -1) return 'has no colon';
  const name = withoutSpace(line, 0, colon);
  if (!isToken(name)) return name === '' ? 'has no name' : 'has a name that no field has';
  fields.push(name, withoutSpace(line, colon + 1, line.length));
  return undefined;
}

const lfCrlf = Buffer.from('\n\r\n');
const lfLf = Buffer.from('\n\n');

/** Where an answer's head ends, without the end of its last line, and where what follows it begins. `undefined`: not yet. */
export function endOfHead(data: Buffer, from: number): { end: number; next: number } | undefined {
  const crlf = data.indexOf(lfCrlf, from);
  const lf = (crlf === -1 ? data : data.subarray(0, crlf + 1)).indexOf(lfLf, from);
  if (crlf === -1 && lf === -1) return undefined;
  const at = lf === -1 ? crlf : lf;
  return { end: data[at - 1] === 0x0d ? at - 1 : at, next: at + (lf === -1 ? 3 : 2) };
}
