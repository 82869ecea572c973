import { badField, Problem } from '../../../shared/problems.ts';
import type { GatewayContext } from './context.ts';
import { findProtoKey, refuseOversizedJson } from './json-shape.ts';
import { pathText } from './zod-problem.ts';

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The body's text, and its value as JSON. Bounded whatever the client sends.
 *
 * @param anyType for clients of other systems, some of which call their JSON something else
 */
export async function readJson(
  c: GatewayContext,
  maxBytes: number,
  anyType = false,
): Promise<{ text: string; value: unknown }> {
  const bytes = await readBytes(c, maxBytes);
  if (bytes.length === 0)
    throw new Problem(
      'invalid_json',
      'The body is empty: send a JSON object with `Content-Type: application/json`.',
    );
  if (!anyType) refuseOtherTypes(c);
  let text: string;
  try {
    text = strictUtf8.decode(bytes);
  } catch {
    throw new Problem('invalid_json', 'The body is not valid UTF-8 (RFC 8259 §8.1): encode it as UTF-8.');
  }
  refuseOversizedJson(bytes);
  const value = parse(text);
  // Escapes (\u005f) can hide the name: a text with any `\u` is searched as well.
  if (text.includes('__proto__') || text.includes('\\u')) {
    const path = findProtoKey(value);
    if (path !== undefined) throw badField(pathText(path), 'is not a known field');
  }
  return { text, value };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 quotes a piece of the text; the position is what helps, and the text may hold a secret.
    const position = /at position (\d+)/.exec((error as Error).message)?.[1];
    const where = position === undefined ? '' : ` at position ${position}`;
    throw new Problem('invalid_json', `The body is not valid JSON${where}: check quotes, commas and braces.`);
  }
}

function refuseOtherTypes(c: GatewayContext): void {
  const type = c.req.header('content-type') ?? '';
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type.trim()))
    throw new Problem(
      'unsupported_media_type',
      `Send JSON with \`Content-Type: application/json\`${type === '' ? ', which is missing here' : ''}.`,
    );
  const coding = c.req.header('content-encoding');
  if (coding !== undefined && coding.toLowerCase() !== 'identity')
    throw new Problem('unsupported_media_type', 'Send the body without Content-Encoding.');
}

export async function readBytes(c: GatewayContext, maxBytes: number): Promise<Buffer> {
  const length = c.req.header('content-length');
  // With a length Node reads exactly that much, so the fast path is bounded by it.
  if (length !== undefined) {
    if (Number(length) > maxBytes) throw tooLarge(maxBytes);
    return Buffer.from(await c.req.arrayBuffer());
  }
  if (c.req.header('transfer-encoding') === undefined) return Buffer.alloc(0);
  // Chunked: the sum is known only on the way (hono's bodyLimit would buffer it all).
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const tooLarge = (maxBytes: number) =>
  new Problem('payload_too_large', `The body may have ${maxBytes} bytes at most (RUNLET_MAX_BODY_BYTES).`);
