import type { WebSocket } from 'ws';
import { isTerminal } from '../../../shared/run-states.ts';
import { eventJson, type StoredEvent } from '../../../shared/stores/run-events.ts';
import type { Gateway } from '../gateway.ts';
import { hintFrom } from '../hint.ts';
import { isStoreError } from '../http/store-errors.ts';

export type AttachOutputParts = Pick<Gateway, 'keys' | 'runEvents' | 'runs' | 'wakeups'>;

/** One page is at most 1 MiB of output: all that is held for one client. */
const pageEvents = 16;
/** Hints may be missed, so the stream is read at least this often. */
const pollMs = 1_000;

/** The event as it stands in the stream of server-sent events, with its type and id inside. */
export const eventMessage = (event: StoredEvent) =>
  `{"type":"${event.type}","id":"${event.id}",${eventJson(event).slice(1)}`;

/**
 * Sends the run's events after `position` as they come; resolves after `exit`, or when `stop` is aborted. A page is
 * read when the one before has left: a slow client costs a page of memory.
 */
export const sendEvents = (
  gateway: AttachOutputParts,
  runId: string,
  position: string,
  socket: WebSocket,
  stop: AbortSignal,
): Promise<'ended' | 'stopped'> =>
  followEvents(gateway, runId, position, stop, (page) => send(socket, page.map(eventMessage)));

/** Hands on the run's events after `position` page by page, the next when the one before was taken; until `exit`, or until `stop` is aborted. */
export async function followEvents(
  gateway: AttachOutputParts,
  runId: string,
  position: string,
  stop: AbortSignal,
  take: (page: StoredEvent[]) => Promise<void>,
): Promise<'ended' | 'stopped'> {
  let after = position;
  let ended = false;
  const hint = hintFrom(gateway.wakeups, gateway.keys.wake(runId));
  stop.addEventListener('abort', hint.give);

  try {
    while (!stop.aborted) {
      hint.forget();
      const page = await gateway.runEvents.read(runId, after, pageEvents).catch((error) => {
        if (isStoreError(error)) return undefined;
        throw error;
      });
      if (page !== undefined && page.length > 0) {
        after = page.at(-1)?.id ?? after;
        await take(page);
        if (page.at(-1)?.type === 'exit') return 'ended';
        continue;
      }
      if (ended) return 'ended';
      if (page !== undefined) {
        const status = await gateway.runs.status(runId).catch(() => 'unknown');
        ended = status === undefined || isTerminal(status);
        // Its last events may have come after the stream was read.
        if (ended) continue;
      }
      if (!stop.aborted) await hint.wait(pollMs);
    }
    return 'stopped';
  } finally {
    stop.removeEventListener('abort', hint.give);
    hint.end();
  }
}

/** Resolves when all of it was given to the network, or the client is gone. */
export async function send(socket: WebSocket, texts: string[]): Promise<void> {
  await Promise.all(texts.map((text) => new Promise<void>((resolve) => socket.send(text, () => resolve()))));
}
