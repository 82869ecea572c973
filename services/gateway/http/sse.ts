import { accepts } from 'hono/accepts';
import { createHint } from '../hint.ts';
import type { GatewayContext } from './context.ts';
import { isStoreError } from './store-errors.ts';

/** Hints may be missed, so a stream also looks by itself, this often. */
const pollMs = 1_000;
/** Proxies cut connections that say nothing for long; API.md promises a comment each 15 s. */
const defaultHeartbeatMs = 15_000;

const encoder = new TextEncoder();

/**
 * One event of `text/event-stream`. `data` is a JSON object on one line. It is sent with its type inside: many clients hand out
 * the data alone.
 */
export function sseMessage(type: string, data: string, id?: string): string {
  const fields = data === '{}' ? '}' : `,${data.slice(1)}`;
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${type}\ndata: {"type":"${type}"${fields}\n\n`;
}

export const sseComment = (text: string) => `: ${text}\n\n`;

export const sseHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // nginx and its kin would hold events back otherwise.
  'x-accel-buffering': 'no',
} as const;

/** Whether the client asks for events rather than for JSON, where a route has both (RFC 9110 §12.5.1). JSON is what others get. */
export const asksForEvents = (c: GatewayContext): boolean =>
  accepts(c, {
    header: 'Accept',
    supports: ['application/json', 'text/event-stream'],
    default: 'application/json',
  }) === 'text/event-stream';

type SsePage = {
  text: string;
  /** Nothing follows: the stream ends. */
  done: boolean;
  /** Look again at once. */
  again?: boolean;
};

export type SseSource = {
  /** The next events; an empty text when there are none. */
  read(): Promise<SsePage>;
  /** Calls back when there may be more; call the function that it returns to stop listening. */
  listen(wake: () => void): Promise<() => void>;
  heartbeat: string;
  heartbeatMs?: number;
  closing: AbortSignal;
};

/**
 * A stream that is read from its source only when the client is ready for more: nothing is buffered for a slow one
 * but the piece on its way.
 */
export function eventStream(source: SseSource): ReadableStream<Uint8Array> {
  const heartbeatMs = source.heartbeatMs ?? defaultHeartbeatMs;
  let nextHeartbeat = performance.now() + heartbeatMs;
  let stopped = false;
  const hint = createHint();
  let listening: Promise<() => void> | undefined;

  const stop = () => {
    if (stopped) return;
    stopped = true;
    source.closing.removeEventListener('abort', stop);
    listening?.then((unlisten) => unlisten()).catch(() => {});
    hint.give();
  };

  const start = () => {
    if (listening !== undefined) return;
    listening = source.listen(hint.give);
    // Without a subscription (Redis is away) polling does.
    listening.catch(() => {});
    if (source.closing.aborted) stop();
    source.closing.addEventListener('abort', stop, { once: true });
  };

  /** The next piece for the client, however long it takes; an empty one is the last. */
  const next = async (): Promise<{ text: string; done: boolean }> => {
    for (;;) {
      if (stopped) return { text: '', done: true };
      hint.forget();
      const page = await source.read().catch((error): SsePage => {
        // Redis is away for a moment: the client keeps its place, and the stream goes on when it is back.
        if (isStoreError(error)) return { text: '', done: false };
        throw error;
      });
      if (page.text !== '' || page.done) return page;
      if (page.again === true) continue;
      if (performance.now() >= nextHeartbeat) {
        nextHeartbeat = performance.now() + heartbeatMs;
        return { text: source.heartbeat, done: false };
      }
      if (!stopped) await hint.wait(Math.max(0, Math.min(pollMs, nextHeartbeat - performance.now())));
    }
  };

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        start();
        try {
          const { text, done } = await next();
          if (text !== '') controller.enqueue(encoder.encode(text));
          if (!done) return;
          stop();
          controller.close();
        } catch (error) {
          // Headers are out: all that is left to say is that the stream broke off, and the client resumes.
          stop();
          controller.error(error);
        }
      },
      cancel: stop,
    },
    // Nothing is read ahead.
    { highWaterMark: 0 },
  );
}
