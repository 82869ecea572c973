/** Longer than any line of progress. It bounds memory where no line end comes. */
const maxLineChars = 1024 * 1024;

/** The non-empty lines of a byte stream, decoded as UTF-8. Throws on a line of more than a million characters. */
export async function* lines(source: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of source) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    if (rest.length > maxLineChars) throw new Error('a line of the engine’s answer is too long');
    for (const part of parts) if (part.trim() !== '') yield part;
  }
  if (rest.trim() !== '') yield rest;
}
