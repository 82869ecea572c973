/** The launcher's messages: a length (32 bits, little-endian) and strings, each with a NUL at its end; see infra/launcher/README.md. */
const headerBytes = 4;
const maxBytes = 1024 * 1024;

export function messageOf(words: (string | Buffer)[]): Buffer {
  if (words.some((word) => word.includes('\0'))) throw new Error('a NUL in a message to the launcher');
  // Neighbours that are text become one buffer: one each for a hundred words takes several times as long.
  const parts: (Buffer | string[])[] = [];
  for (const word of words) {
    const last = parts.at(-1);
    if (typeof word !== 'string') parts.push(word, ['']);
    else if (Array.isArray(last)) last.push(word);
    else parts.push([word]);
  }
  const text = Buffer.concat(
    parts.map((part) => (Array.isArray(part) ? Buffer.from(`${part.join('\0')}\0`) : part)),
  );
  if (text.length > maxBytes) throw new Error(`a message to the launcher has ${text.length} bytes`);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(text.length);
  return Buffer.concat([header, text]);
}

/** Takes pieces as they come, and calls with the words of each whole message. */
export function createMessageReader(onMessage: (words: string[]) => void): (piece: Buffer) => void {
  let held: Buffer = Buffer.alloc(0);
  return (piece) => {
    held = held.length === 0 ? piece : Buffer.concat([held, piece]);
    for (;;) {
      if (held.length < headerBytes) return;
      const end = headerBytes + held.readUInt32LE();
      if (held.length < end) return;
      onMessage(held.toString('utf8', headerBytes, end - 1).split('\0'));
      held = held.subarray(end);
    }
  };
}
