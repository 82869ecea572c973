import { setTimeout as sleep } from 'node:timers/promises';
import type { EventSourceMessage } from 'eventsource-parser';
import { ApiError } from '../errors.ts';
import type { ApiClient } from './api-client.ts';
import type { Answer } from './exchange.ts';
import { readEvents } from './sse.ts';
import { isLoss } from './with-retry.ts';

export type StreamOptions = {
  note: (text: string) => void;
  /** The waits before each new connection, counted from the last event. There are as many tries as waits. */
  waitsMs?: readonly number[] | undefined;
  signal?: AbortSignal | undefined;
  /** Makes the error to throw when no wait is left. Without it, the last wait is repeated for ever. */
  gaveUp?: () => Error;
  /** A connection that is open already. It is used first. */
  first?: Answer | undefined;
  /** A connection that stayed open this long counts as good, even if no event came. */
  steadyMs?: number;
};

// A minute and a half in all. A restart of the gateway or a change of network is over by then; a server that is gone is
// reported.
const defaultWaitsMs = [100, 250, 500, 1000, 2000, 4000, 8000, 15_000, 30_000, 30_000];

/**
 * Every event of a stream, in order and only once, for as long as the caller reads. After a lost connection, the next
 * one continues after the last position that came (`Last-Event-ID`). Events that have arrived are passed on before the
 * loss is handled.
 */
export async function* followStream(
  api: ApiClient,
  path: string,
  options: StreamOptions,
): AsyncGenerator<EventSourceMessage> {
  const { note, waitsMs = defaultWaitsMs, signal, gaveUp, steadyMs = 10_000 } = options;
  let { first } = options;
  let lastId: string | undefined;
  const onId = (id: string) => {
    lastId = id;
  };
  let tries = 0;
  let noted = false;
  while (true) {
    let askedMs = 0;
    let openedAt = Number.POSITIVE_INFINITY;
    try {
      const response = first ?? (await openStream(api, path, lastId, signal));
      first = undefined;
      openedAt = upMs();
      if (noted) note('The connection is back.');
      noted = false;
      for await (const message of readEvents(response, api.url, { onId })) {
        yield message;
        tries = 0;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (!mayPass(error)) throw error;
      if (error instanceof ApiError) askedMs = error.retryAfterMs ?? 0;
    }
    if (upMs() - openedAt >= steadyMs) tries = 0;
    const waitMs = waitsMs[tries] ?? (gaveUp === undefined ? waitsMs.at(-1) : undefined);
    if (waitMs === undefined) throw gaveUp?.();
    // One lost connection is not worth a note. A server that stays away is.
    if (tries === 1) {
      note('The connection to the server is lost; trying to take it up again.');
      noted = true;
    }
    tries += 1;
    await sleep(Math.max(waitMs, askedMs), undefined, signal ? { signal } : {}).catch(() => {});
    if (signal?.aborted) return;
  }
}

export function openStream(
  api: ApiClient,
  path: string,
  lastId?: string,
  signal?: AbortSignal,
): Promise<Answer> {
  const headers = { accept: 'text/event-stream', ...(lastId !== undefined && { 'last-event-id': lastId }) };
  return api.open({ path, headers, ...(signal && { signal }) });
}

/** A clock that nobody sets. (To load Node's `performance` takes 20 ms.) */
const upMs = () => process.uptime() * 1000;

/** Reading again has no side effects, so every error on the server's side is worth another try. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof ApiError)) return isLoss(error);
  const status = error.problem.status ?? 0;
  return status === 429 || status >= 500;
}

/** Parses the data of an event. They are JSON in every stream of Runlet. */
export function parseData({ event, data }: EventSourceMessage): unknown {
  try {
    return JSON.parse(data);
  } catch {
    throw new Error(
      `The server sent a "${event}" event that is not JSON. Check the address with \`runlet config\`.`,
    );
  }
}
