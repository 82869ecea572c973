import { isTerminal } from '../../../shared/run-states.ts';
import { eventJson, type StoredEvent } from '../../../shared/stores/run-events.ts';
import type { Gateway } from '../gateway.ts';
import { eventStream, sseComment, sseMessage } from '../http/sse.ts';

export type EventStreamParts = Pick<Gateway, 'closing' | 'keys' | 'runEvents' | 'runs' | 'wakeups'>;

/** One page is at most 1 MiB of output: all that is held for one client. */
const pageEvents = 16;

const message = (event: StoredEvent) => sseMessage(event.type, eventJson(event), event.id);

/**
 * The events of a run after `position`, as they come, until `exit`. Read from Redis only as fast as the client
 * takes them: a slow client costs a page of memory, however much the program writes.
 */
export function runEventStream(
  gateway: EventStreamParts,
  runId: string,
  position: string,
  heartbeatMs?: number,
): ReadableStream<Uint8Array> {
  let after = position;
  let ended = false;

  return eventStream({
    closing: gateway.closing.signal,
    ...(heartbeatMs !== undefined && { heartbeatMs }),
    heartbeat: sseComment('heartbeat'),
    listen: (wake) => gateway.wakeups.listen(gateway.keys.wake(runId), wake),
    async read() {
      const page = await gateway.runEvents.read(runId, after, pageEvents);
      const last = page.at(-1);
      if (last !== undefined) {
        after = last.id;
        return { text: page.map(message).join(''), done: last.type === 'exit' };
      }
      // The run had ended before this page was read, and there is no more: the client has all events, or the run was forgotten.
      if (ended) return { text: '', done: true };
      const status = await gateway.runs.status(runId);
      ended = status === undefined || isTerminal(status);
      // Its last events may have come after the stream was read.
      return { text: '', done: false, again: ended };
    },
  });
}

/** True when nothing comes after this position, ever: the client has seen `exit`. */
export async function hasSeenAll(
  gateway: EventStreamParts,
  runId: string,
  position: string,
): Promise<boolean> {
  if (position === '0') return false;
  const status = await gateway.runs.status(runId);
  if (status === undefined || !isTerminal(status)) return false;
  const [next] = await gateway.runEvents.read(runId, position, 1);
  return next === undefined;
}
