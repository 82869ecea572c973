import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { ConnectionError } from '../errors.ts';
import { connectionError } from './connection-error.ts';
import type { Answer } from './exchange.ts';

/** Heartbeats come every 15 s. After three missed ones the connection counts as dead. */
const heartbeatLimitMs = 45_000;

export type ReadOptions = {
  silenceMs?: number;
  /** Called with each position in the stream, before its event is passed on. A position may come without an event. */
  onId?: (id: string) => void;
};

/**
 * The events of one server-sent event stream, until it ends. The time limit applies only to the wait for bytes, not to
 * the consumer: if our stdout is read slowly, the server is not dead.
 */
export async function* readEvents(
  response: Pick<Answer, 'body'>,
  url: string,
  { silenceMs = heartbeatLimitMs, onId }: ReadOptions = {},
): AsyncGenerator<EventSourceMessage> {
  const chunks = response.body[Symbol.asyncIterator]();
  const decoder = new TextDecoder();
  const ready: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => ready.push(event), ...(onId && { onId }) });
  try {
    while (true) {
      const chunk = await withinSilence(chunks.next(), silenceMs, url);
      if (chunk.done) return;
      parser.feed(decoder.decode(chunk.value, { stream: true }));
      yield* ready.splice(0);
    }
  } catch (error) {
    throw error instanceof ConnectionError ? error : connectionError(error, url);
  } finally {
    response.body.destroy();
  }
}

async function withinSilence<T>(read: Promise<T>, silenceMs: number, url: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ConnectionError(`${url} went silent for ${Math.round(silenceMs / 1000)} s.`)),
      silenceMs,
    );
  });
  try {
    return await Promise.race([read, silence]);
  } finally {
    clearTimeout(timer);
  }
}
