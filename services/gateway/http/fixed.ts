import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { accepts } from 'hono/accepts';
import { leastBytes } from './compress.ts';
import { holds } from './conditional.ts';
import type { GatewayContext } from './context.ts';

const toBrotli = promisify(brotliCompress);
const toGzip = promisify(gzip);

/** In the order of preference. The highest quality of brotli would take seconds for a few bytes less. */
const codings = {
  br: (bytes: Uint8Array) => toBrotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } }),
  gzip: (bytes: Uint8Array) => toGzip(bytes),
};
type Coding = keyof typeof codings;
const names = Object.keys(codings) as Coding[];

/**
 * Answers with bytes that never change while this process lives: loaded, compressed and named by their ETag at the first request, so that
 * later ones take no time of the processor.
 */
export function fixedAnswer(
  load: () => Uint8Array | Promise<Uint8Array>,
  headers: Record<string, string>,
): (c: GatewayContext) => Promise<Response> {
  const whole = once(async () => {
    const bytes = await load();
    // Weak: it is the same for each coding (RFC 9110 §8.8.3.3).
    return { bytes, etag: `W/"${createHash('sha256').update(bytes).digest('base64url')}"` };
  });
  const copy = (coding: Coding) => once(async () => codings[coding]((await whole()).bytes));
  const compressed = { br: copy('br'), gzip: copy('gzip') };

  return async (c) => {
    const { bytes, etag } = await whole();
    const large = bytes.length >= leastBytes;
    const vary = [headers.vary, large ? 'Accept-Encoding' : undefined].filter((one) => one !== undefined);
    const all = { ...headers, etag, ...(vary.length > 0 && { vary: vary.join(', ') }) };
    if (holds(c.req.header('if-none-match'), etag)) return new Response(null, { status: 304, headers: all });
    const coding = large ? codingFor(c) : undefined;
    const body = coding === undefined ? bytes : await compressed[coding]();
    return new Response(body as Uint8Array<ArrayBuffer>, {
      headers: {
        ...all,
        'content-length': String(body.length),
        ...(coding !== undefined && { 'content-encoding': coding }),
      },
    });
  };
}

function codingFor(c: GatewayContext): Coding | undefined {
  const found = accepts(c, {
    header: 'Accept-Encoding',
    supports: names,
    default: 'identity',
    match: (accepted) =>
      names.find((name) => accepted.some(({ type, q }) => type.toLowerCase() === name && q > 0)) ??
      'identity',
  });
  return names.find((name) => name === found);
}

/** Done once. After a failure it is tried again. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
