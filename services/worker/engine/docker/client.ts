import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { inspect } from 'node:util';
import Modem, { type ConstructorOptions } from 'docker-modem';
import { Problem } from '../../../../shared/problems.ts';
import { EngineRefusal, fromClient, oneLine, tooSlow } from './errors.ts';
import { type DockerHostOptions, transportFor } from './host.ts';

type Scalar = string | number | boolean;

export type Request = {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  query?: Record<string, Scalar>;
  /** Sent as JSON. */
  body?: object;
  /** Sent instead of a body. */
  tar?: Buffer;
  /** Statuses besides 2xx that are an answer, not an error. */
  also?: number[];
  registryAuth?: object | undefined;
  /** The caller's; its reason is thrown. */
  signal?: AbortSignal | undefined;
  /** For the answer; for a stream, for its head. 0: none. */
  deadlineMs?: number;
};

/** The engine's HTTP API over whatever transport DOCKER_HOST names. Throws Problem | EngineRefusal | the signal's reason. */
export type DockerClient = {
  call<T>(request: Request): Promise<T>;
  /** Resolves with the head of the answer. Not on the connections that short calls share. */
  stream(request: Request): Promise<IncomingMessage>;
  /** The connection itself, after the engine has agreed to leave HTTP. */
  hijack(request: Request): Promise<Duplex>;
  /** Tells the log what the engine said inside of an answer. */
  said(what: string, text: string): void;
  readonly local: boolean;
  readonly shown: string;
  close(): void;
};

export type Said = (what: string, text: string, status?: number) => void;

const defaultDeadlineMs = 30_000;
const idleSocketMs = 30_000;

/** @param onSaid called with each text by which the engine reports a failure, and with the status of its answer where it is one */
export function createClient(host: DockerHostOptions, onSaid: Said = () => {}): DockerClient {
  const transport = transportFor(host);
  const kind = transport.protocol;
  const short = agentFor(kind, true);
  const long = agentFor(kind, false);
  const modemWith = (agent: HttpAgent): Dialling =>
    new Modem({ ...transport.options, agent } as ConstructorOptions) as Dialling;
  const shortModem = modemWith(short);
  const longModem = modemWith(long);
  const { shown } = transport;

  function send<T>(modem: Dialling, request: Request, how: Partial<DialOptions>): Promise<T> {
    const what = `${request.method} ${request.path}`;
    return withDeadline(request, shown, (abortSignal) => {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      modem.dial(dialOptions(request, abortSignal, how), (error, answer) => {
        if (error) reject(noted(fromClient(error, shown), what));
        else if (abortSignal.aborted) (answer as Partial<Duplex> | null)?.destroy?.();
        else resolve(answer as T);
      });
      return promise;
    });
  }

  function noted(failure: EngineRefusal | Problem, what: string): EngineRefusal | Problem {
    if (failure instanceof EngineRefusal) onSaid(what, oneLine(failure.message), failure.status);
    return failure;
  }

  return {
    said: (what, text) => onSaid(what, oneLine(text)),
    call: (request) => send(shortModem, request, {}),
    stream: (request) => send(longModem, request, { isStream: true }),
    hijack: (request) => send(longModem, request, { isStream: true, hijack: true }),
    local: transport.local,
    shown,
    close() {
      short.destroy();
      long.destroy();
    },
  };
}

type Dialling = { dial(options: DialOptions, callback: (error: unknown, answer: unknown) => void): void };

type DialOptions = {
  path: string;
  method: string;
  options: { _query: object; _body: object };
  file?: Buffer;
  statusCodes: Record<number, true>;
  abortSignal: AbortSignal;
  authconfig?: object | undefined;
  isStream?: boolean;
  hijack?: boolean;
};

function dialOptions(request: Request, abortSignal: AbortSignal, how: Partial<DialOptions>): DialOptions {
  const accepted = [200, 201, 202, 204, 205, ...(request.also ?? [])];
  return {
    path: `${request.path}?`,
    method: request.method,
    options: { _query: request.query ?? {}, _body: request.body ?? {} },
    statusCodes: Object.fromEntries(accepted.map((status) => [status, true] as const)),
    abortSignal,
    ...(request.tar && { file: request.tar }),
    ...(request.registryAuth && { authconfig: request.registryAuth }),
    ...how,
  };
}

/**
 * Short calls share kept-alive connections. Calls that stay open (wait, attach, pull) have one each, so that no short call waits for
 * them. The client library prints the whole request with `util.inspect` for its debug log, also while that log
 * is off, and the agent with all of its sockets with it: measured 1 ms a call, and 490 ms with 40 connections open. So
 * an agent prints as its name.
 */
function agentFor(kind: 'http' | 'https' | 'ssh', keepAlive: boolean): HttpAgent {
  const options = { keepAlive, ...(keepAlive && { timeout: idleSocketMs }) };
  const agent = kind === 'https' ? new HttpsAgent(options) : new HttpAgent(options);
  return Object.assign(agent, { [inspect.custom]: () => 'Agent' });
}

/** Runs a call under its deadline and the caller's signal. It ends at an abort even where the library ignores it. */
async function withDeadline<T>(
  request: Request,
  shown: string,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal, deadlineMs = defaultDeadlineMs } = request;
  signal?.throwIfAborted();
  const controller = new AbortController();
  const ended = Promise.withResolvers<never>();
  const end = (reason: unknown) => {
    ended.reject(reason);
    controller.abort(reason);
  };
  const onAbort = () => end(signal?.reason);
  const what = `${request.method} ${request.path}`;
  const timer =
    deadlineMs > 0 ? setTimeout(() => end(tooSlow(shown, what, deadlineMs)), deadlineMs) : undefined;
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([run(controller.signal), ended.promise]);
  } catch (error) {
    if (controller.signal.aborted) throw controller.signal.reason;
    throw error instanceof EngineRefusal || error instanceof Problem ? error : fromClient(error, shown);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
