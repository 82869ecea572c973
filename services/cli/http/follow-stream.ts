import { setTimeout as sleep } from 'node:timers/promises';
import type { EventSourceMessage } from 'eventsource-parser';
import { ApiError } from '../errors.ts';
import type { ApiClient } from './api-client.ts';
import { readEvents } from './sse.ts';
import { isLoss } from './with-retry.ts';

export type StreamOptions = {
  note: (text: string) => void;
  /** Waits before each new connection since the last event; as many tries as there are waits. */
  waitsMs?: readonly number[] | undefined;
  signal?: AbortSignal | undefined;
  /** What to throw when no wait is left. Without it the last wait is taken again and again. */
  gaveUp?: () => Error;
  /** A connection that is open already, to begin with. */
  first?: Response;
  /** A connection that held for so long was a good one, although nothing came. */
  steadyMs?: number;
};

// A minute and a half in all: a gateway's restart or a change of network passes, a gone server is told.
const defaultWaitsMs = [100, 250, 500, 1000, 2000, 4000, 8000, 15_000, 30_000, 30_000];

/**
 * Every event of a stream, in order, once, for as long as somebody takes them. A lost connection is taken up again
 * after the last position that came (`Last-Event-ID`): what has come is passed on before the loss is seen.
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
      openedAt = performance.now();
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
    if (performance.now() - openedAt >= steadyMs) tries = 0;
    const waitMs = waitsMs[tries] ?? (gaveUp === undefined ? waitsMs.at(-1) : undefined);
    if (waitMs === undefined) throw gaveUp?.();
    // One lost connection is no news to anybody; a server that stays away is.
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
): Promise<Response> {
  const headers = { accept: 'text/event-stream', ...(lastId !== undefined && { 'last-event-id': lastId }) };
  return api.open({ path, headers, ...(signal && { signal }) });
}

/** Reading again harms nobody, so every trouble of the server's own is worth another try. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof ApiError)) return isLoss(error);
  const status = error.problem.status ?? 0;
  return status === 429 || status >= 500;
}

/** The data of an event, which is JSON in every stream of Runlet. */
export function parseData({ event, data }: EventSourceMessage): unknown {
  try {
    return JSON.parse(data);
  } catch {
    throw new Error(
      `The server sent a "${event}" event that is not JSON. Check the address with \`runlet config\`.`,
    );
  }
}
