import type { GatewayContext } from './context.ts';
import { sseComment } from './sse.ts';

/** What whoever was let in by a key is told when that is taken back, or expires. */
export const keyIsOver = 'the API key was taken back, or has expired';
/** A client that does not read is cut off after so long. */
export const farewellMs = 2_000;

const events = 'text/event-stream';
/** Answers that may go on for as long as the client reads; others are whole when they begin. */
const streams = [events, 'application/octet-stream'];

const typeOf = (response: Response) => response.headers.get('content-type') ?? '';

export const isStream = (response: Response) =>
  streams.some((type) => typeOf(response).startsWith(type)) && response.body !== null;

/**
 * The answer, for as long as the key is good. Events end with a comment, as they do when a gateway stops; bytes break off, so that
 * nobody takes what there is for the whole.
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
      controller.enqueue(new TextEncoder().encode(sseComment(keyIsOver)));
      controller.close();
    } else controller.error(new Error(keyIsOver));
    setTimeout(() => {
      if (outgoing?.writableFinished === false) outgoing.destroy();
    }, farewellMs).unref();
  };
  return { response: new Response(body, response), end };
}
