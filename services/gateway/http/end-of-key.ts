import type { GatewayContext } from './context.ts';
import { sseComment } from './sse.ts';

/** Streams and WebSockets end with this text when their key is revoked or expires. */
export const keyEnded = 'the API key was taken back, or has expired';
/** A client that does not read is cut off after so long. */
export const closeGraceMs = 2_000;

const events = 'text/event-stream';
/** Types of answers that are streams; all other answers are complete when they begin. */
const streams = [events, 'application/octet-stream'];

const typeOf = (response: Response) => response.headers.get('content-type') ?? '';

export const isStream = (response: Response) =>
  streams.some((type) => typeOf(response).startsWith(type)) && response.body !== null;

/**
 * The answer, which ends when the key ends. Events end with a comment, as they do when a gateway stops; bytes break off, so that
 * no client takes them for the whole.
 *
 * @param release is called when the stream is over
 */
export function endWithKey(c: GatewayContext, response: Response, release: () => void) {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const { outgoing } = c.env;
  let controller: ReadableStreamDefaultController<Uint8Array>;
  let over = false;
  const finish = () => {
    over = true;
    release();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given;
      },
      async pull() {
        try {
          const { done, value } = await reader.read();
          if (over) return;
          if (!done) return controller.enqueue(value);
          finish();
          controller.close();
        } catch (error) {
          if (over) return;
          finish();
          controller.error(error);
        }
      },
      cancel(reason) {
        finish();
        return reader.cancel(reason);
      },
    },
    // Nothing is read ahead.
    { highWaterMark: 0 },
  );
  const end = () => {
    if (over) return;
    over = true;
    reader.cancel().catch(() => {});
    if (typeOf(response).startsWith(events)) {
      controller.enqueue(new TextEncoder().encode(sseComment(keyEnded)));
      controller.close();
    } else controller.error(new Error(keyEnded));
    setTimeout(() => {
      if (outgoing?.writableFinished === false) outgoing.destroy();
    }, closeGraceMs).unref();
  };
  return { response: new Response(body, response), end };
}
