import type { Readable } from 'node:stream';

/** So much of an answer is kept for the endpoint's owner to see. The rest is not read. */
const maxBytes = 512;
/** A slow body is not waited for any longer: the status decides, not the body. */
const maxMs = 1_000;

/**
 * The beginning of an answer's body as harmless text: printable ASCII, everything else a dot. `null` for an empty one. The stream is
 * destroyed.
 */
export async function extractOf(body: Readable): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  body.on('error', () => {});
  const timer = setTimeout(() => body.destroy(), maxMs);
  try {
    for await (const chunk of body) {
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size >= maxBytes) break;
    }
  } catch {
    // The body broke off, or was too slow: what has come so far is kept.
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
  const text = Buffer.concat(chunks).subarray(0, maxBytes).toString('latin1');
  return text === '' ? null : printable(text);
}

/** Text from elsewhere, made safe for a terminal: nothing in it moves a cursor or sets a colour. */
export const printable = (text: string) => text.replace(/[^\x20-\x7e\n\t]/g, '.');
