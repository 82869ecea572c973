import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { AttachError, AttachInput } from '../../../shared/contracts/attach.ts';
import type { ProblemBody } from '../../../shared/contracts/problem.ts';
import { ApiError, ConnectionError } from '../errors.ts';
import type { ApiClient } from '../http/api-client.ts';
import { runPath } from '../http/paths.ts';
import type { RunEvent } from '../run/follow.ts';
import type { Size } from './size.ts';

type Message = { type: string; id?: string; problem?: ProblemBody };

export type AttachOptions = {
  note: (text: string) => void;
  /** Called with `true` when the connection opens and with `false` when it is lost. */
  onConnected: (connected: boolean) => void;
  /** The size of our own terminal, for a run that has a terminal too. It is sent with each new connection. */
  size?: () => Size | undefined;
  waitsMs?: readonly number[];
};

const defaultWaitsMs = [100, 250, 500, 1000, 2000, 4000, 8000, 15_000, 30_000];
/** The server pings every 15 s. After three missed pings the connection counts as dead. */
const silenceMs = 45_000;
/** When this many bytes wait for the network, stdin is not read any further. */
const maxBuffered = 256 * 1024;
const known: ReadonlySet<string> = new Set(['status', 'pull', 'stdout', 'stderr', 'exit']);

/**
 * A connection to an interactive run over a WebSocket: events come down, input goes up. A lost connection is opened
 * again.
 */
export class Attachment {
  readonly #api: ApiClient;
  readonly #runId: string;
  readonly #options: AttachOptions;
  #socket: WebSocket | undefined;
  #lastId: string | undefined;
  #waiting: (() => void)[] = [];

  constructor(api: ApiClient, runId: string, options: AttachOptions) {
    this.#api = api;
    this.#runId = runId;
    this.#options = options;
  }

  /** Sends to the program; resolves when there is room for more. Waits for the connection. */
  async send(input: AttachInput): Promise<void> {
    while (this.#socket === undefined) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const socket = this.#socket;
    const sent = new Promise<void>((resolve) => socket.send(JSON.stringify(input), () => resolve()));
    if (socket.bufferedAmount > maxBuffered) await sent;
  }

  /** Sends only if there is a connection now. For input that would be out of date after a reconnect. */
  trySend(input: AttachInput): void {
    this.#socket?.send(JSON.stringify(input), () => {});
  }

  /** Every event of the run, in order and only once, up to its `exit`. */
  async *events(): AsyncGenerator<RunEvent> {
    const waitsMs = this.#options.waitsMs ?? defaultWaitsMs;
    for (let tries = 0; ; tries += 1) {
      for await (const event of this.#connection()) {
        yield event;
        if (event.type === 'exit') return;
        tries = 0;
      }
      const waitMs = waitsMs[tries];
      if (waitMs === undefined)
        throw new ConnectionError(
          `The connection to ${this.#api.url} is lost; the run itself goes on. \`runlet logs -f ${this.#runId}\` shows it.`,
        );
      if (tries === 1)
        this.#options.note('The connection to the server is lost; trying to take it up again.');
      await sleep(waitMs);
    }
  }

  /** The events of one connection. Ends when the connection ends. Throws errors that a new connection would not fix. */
  async *#connection(): AsyncGenerator<RunEvent> {
    const { note, onConnected, size } = this.#options;
    const query = new URLSearchParams({ ...(this.#lastId !== undefined && { after: this.#lastId }) });
    for (const [name, value] of Object.entries(size?.() ?? {})) query.set(name, String(value));
    const { url, headers } = this.#api.webSocket(
      runPath(this.#runId, `/attach${query.size > 0 ? `?${query}` : ''}`),
    );
    const socket = new WebSocket(url, { headers, perMessageDeflate: false });
    const inbox: Message[] = [];
    let fault: Error | undefined;
    let closed = false;
    let wake = () => {};
    let silence: NodeJS.Timeout | undefined;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => socket.terminate(), silenceMs);
    };
    heard();
    socket.on('ping', heard);
    socket.on('open', () => {
      this.#socket = socket;
      onConnected(true);
      for (const go of this.#waiting.splice(0)) go();
    });
    socket.on('message', (data: Buffer) => {
      heard();
      inbox.push(JSON.parse(data.toString('utf8')) as Message);
      // When our stdout is read slowly, the program has to wait. The data do not pile up in our memory.
      socket.pause();
      wake();
    });
    socket.on('unexpected-response', (_, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        fault = refused(response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8'), this.#api.url);
        socket.terminate();
      });
    });
    // Nothing to do here: every error is followed by a close.
    socket.on('error', () => {});
    socket.on('close', () => {
      closed = true;
      if (this.#socket === socket) {
        this.#socket = undefined;
        onConnected(false);
      }
      wake();
    });

    try {
      for (;;) {
        const message = inbox.shift();
        if (message === undefined) {
          if (fault !== undefined) throw fault;
          if (closed) return;
          socket.resume();
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        if (message.type === 'error') note((message as AttachError).problem.detail);
        if (!known.has(message.type)) continue;
        const { type, id, ...data } = message;
        yield { type, id, data } as RunEvent;
        this.#lastId = id ?? this.#lastId;
      }
    } finally {
      clearTimeout(silence);
      socket.terminate();
    }
  }
}

/**
 * Handles an answer that is not an upgrade. Returns the error if it is permanent; returns `undefined` if the server is
 * only busy or away.
 */
function refused(status: number, body: string, url: string): Error | undefined {
  if (status === 429 || status >= 500) return undefined;
  try {
    const problem = JSON.parse(body) as ProblemBody;
    if (typeof problem.code === 'string') return new ApiError(problem);
  } catch {
    // The body is not a problem document of Runlet's.
  }
  return new ConnectionError(
    `${url} does not let WebSockets through (HTTP ${status}): look at the proxy between, or leave out -i and -t.`,
  );
}
