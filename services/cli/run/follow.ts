import { setTimeout as sleep } from 'node:timers/promises';
import type {
  ExitEvent,
  OutputEvent,
  PullEvent,
  RunEventType,
  StatusEvent,
} from '../../../shared/contracts/events.ts';
import { ApiError, ConnectionError } from '../errors.ts';
import type { ApiClient } from '../http/api-client.ts';
import { readEvents } from '../http/sse.ts';
import { isLoss } from '../http/with-retry.ts';

type EventData = {
  status: StatusEvent;
  pull: PullEvent;
  stdout: OutputEvent;
  stderr: OutputEvent;
  exit: ExitEvent;
};
export type RunEvent = {
  [T in RunEventType]: { type: T; data: EventData[T]; id: string | undefined };
}[RunEventType];

export type FollowOptions = {
  note: (text: string) => void;
  /** Waits before each new connection since the last event; as many tries as there are waits. */
  waitsMs?: readonly number[];
  signal?: AbortSignal;
};

// A minute and a half in all: a gateway's restart or a change of network passes, a gone server is told.
const defaultWaitsMs = [100, 250, 500, 1000, 2000, 4000, 8000, 15_000, 30_000, 30_000];
const knownTypes: ReadonlySet<string> = new Set<RunEventType>(['status', 'pull', 'stdout', 'stderr', 'exit']);

/**
 * Every event of a run, in order, once, up to its `exit`. A lost connection is taken up again after the last event
 * that the consumer has finished with (`Last-Event-ID`).
 */
export async function* followRun(
  api: ApiClient,
  runId: string,
  { note, waitsMs = defaultWaitsMs, signal }: FollowOptions,
): AsyncGenerator<RunEvent> {
  let lastId: string | undefined;
  let tries = 0;
  while (true) {
    let waitMs: number | undefined = waitsMs[tries];
    try {
      const headers = {
        accept: 'text/event-stream',
        ...(lastId !== undefined && { 'last-event-id': lastId }),
      };
      const path = `/v1/runs/${encodeURIComponent(runId)}/events`;
      const response = await api.open({ path, headers, ...(signal && { signal }) });
      for await (const message of readEvents(response, api.url)) {
        const event = parseEvent(message.event, message.data, message.id);
        if (event !== undefined) yield event;
        if (event?.type === 'exit') return;
        lastId = message.id ?? lastId;
        tries = 0;
        waitMs = waitsMs[0];
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (!mayPass(error)) throw error;
      if (error instanceof ApiError && waitMs !== undefined)
        waitMs = Math.max(waitMs, error.retryAfterMs ?? 0);
    }
    if (waitMs === undefined) throw gaveUp(api.url, runId);
    // One lost connection is no news to anybody; a server that stays away is.
    if (tries === 1) note('The connection to the server is lost; trying to take it up again.');
    tries += 1;
    await sleep(waitMs, undefined, signal ? { signal } : {}).catch(() => {});
    if (signal?.aborted) return;
  }
}

/** Reading again harms nobody, so every trouble of the server's own is worth another try. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof ApiError)) return isLoss(error);
  const status = error.problem.status ?? 0;
  return status === 429 || status >= 500;
}

function parseEvent(type: string | undefined, data: string, id: string | undefined): RunEvent | undefined {
  // What a newer server sends besides is not for this version.
  if (type === undefined || !knownTypes.has(type)) return undefined;
  try {
    return { type, data: JSON.parse(data), id } as RunEvent;
  } catch {
    throw new Error(
      `The server sent a "${type}" event that is not JSON. Check the address with \`runlet config\`.`,
    );
  }
}

function gaveUp(url: string, runId: string): ConnectionError {
  return new ConnectionError(
    `The connection to ${url} is lost; the run itself goes on. \`runlet logs -f ${runId}\` shows it from its start.`,
  );
}

/** The bytes that the program wrote. */
export function outputBytes({ data, encoding }: OutputEvent): Buffer {
  return Buffer.from(data, encoding);
}
