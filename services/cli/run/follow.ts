import type {
  ExitEvent,
  OutputEvent,
  PullEvent,
  RunEventType,
  StatusEvent,
} from '../../../shared/contracts/events.ts';
import { ConnectionError } from '../errors.ts';
import type { ApiClient } from '../http/api-client.ts';
import type { Answer } from '../http/exchange.ts';
import { followStream, parseData } from '../http/follow-stream.ts';
import { runPath } from '../http/paths.ts';

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
  /** The waits before each new connection, counted from the last event. There are as many tries as waits. */
  waitsMs?: readonly number[];
  signal?: AbortSignal;
  /** A connection on which the events come already. It is read first. */
  first?: Answer | undefined;
};

const knownTypes: ReadonlySet<string> = new Set<RunEventType>(['status', 'pull', 'stdout', 'stderr', 'exit']);

/** Every event of a run, in order and only once, up to its `exit`, even if connections are lost. */
export async function* followRun(
  api: ApiClient,
  runId: string,
  { note, waitsMs, signal, first }: FollowOptions,
): AsyncGenerator<RunEvent> {
  const path = runPath(runId, '/events');
  const options = { note, waitsMs, signal, first, gaveUp: () => gaveUp(api.url, runId) };
  for await (const message of followStream(api, path, options)) {
    // Event types of a newer server are ignored.
    if (message.event === undefined || !knownTypes.has(message.event)) continue;
    const event = { type: message.event, data: parseData(message), id: message.id } as RunEvent;
    yield event;
    if (event.type === 'exit') return;
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
