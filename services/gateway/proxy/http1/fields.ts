/** RFC 9110 §5.6.2 */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Control characters, and line ends other than CRLF, with which one head can be read as two (RFC 9112 §2.2, §11.2). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const forbidden = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/;

export const isToken = (text: string) => token.test(text);

export const headEnd = Buffer.from('\r\n\r\n');

/**
 * The lines of a head (RFC 9112 §5) below its first one, as name, value, name, value; without its last CRLF. `undefined`: it is
 * not exactly what the grammar allows; folded lines and spaces before the colon are not.
 */
export function parseFields(head: string, from: number): string[] | undefined {
  if (forbidden.test(head)) return undefined;
  const fields: string[] = [];
  for (let at = from; at < head.length; ) {
    let end = head.indexOf('\r\n', at);
    if (end === -1) end = head.length;
    const colon = head.indexOf(':', at);
    if (colon === -1 || colon > end) return undefined;
    const name = head.slice(at, colon);
    if (!token.test(name)) return undefined;
    fields.push(name, withoutSpace(head, colon + 1, end));
    at = end + 2;
  }
  return fields;
}

const isSpace = (code: number) => code === 0x20 || code === 0x09;

/** A part of `text` without the OWS around it (RFC 9110 §5.6.3). */
export function withoutSpace(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** The members of a list field (RFC 9110 §5.6.1), in lower case. */
export const listed = (value: string): string[] =>
  value
    .toLowerCase()
    .split(',')
    .map((member) => withoutSpace(member, 0, member.length))
    .filter((member) => member !== '');

/**
 * Reads heads as `read` does, but remembers the last one: on one connection most heads are the same, and reading both
 * heads of a request is a tenth of its whole cost. To be made for each connection; bounded by the size of a head.
 */
export function readingOnce<Extra, Read>(read: (head: string, extra: Extra) => Read) {
  let last: { head: string; extra: Extra; made: Read } | undefined;
  return (head: string, extra: Extra): Read => {
    if (last === undefined || last.head !== head || last.extra !== extra)
      last = { head, extra, made: read(head, extra) };
    return last.made;
  };
}
