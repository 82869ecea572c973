import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Problem } from '../../../../shared/problems.ts';
import { headText } from './answers.ts';
import type { Caller, CallerEvents } from './caller.ts';
import { type RequestFields, readRequestFields } from './request-fields.ts';

/** An answer that came before the whole request did is given so long to arrive while the rest is thrown away. */
export const lingerMs = 1_000;

/** A socket of both families shows IPv4 in a form that few expect (RFC 4291 §2.5.5.2). */
export const addressOf = (socket: Socket) => socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';

/** A request that came through Node's parser. */
export class NodeCaller implements Caller {
  readonly method: string;
  readonly host: string;
  readonly fields: Readonly<RequestFields>;
  readonly address: string;
  readonly bodyLength: number | undefined;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private events: CallerEvents | undefined;
  private tell = () => {};
  private left = false;
  private unflushed = false;

  constructor(request: IncomingMessage, response: ServerResponse, host: string) {
    this.request = request;
    this.response = response;
    this.method = request.method ?? 'GET';
    this.host = host;
    this.fields = readRequestFields(request.rawHeaders);
    this.address = addressOf(request.socket);
    this.bodyLength = this.fields.coding === undefined ? Number(this.fields.length ?? 0) : undefined;
    request.on('error', () => {});
    response.on('error', () => {});
    response.on('close', () => {
      if (response.writableFinished) return;
      this.left = true;
      this.tell();
    });
    response.on('drain', () => this.events?.clientDrained());
  }

  get gone(): boolean {
    return this.left;
  }

  whenGone(tell: () => void): void {
    this.tell = tell;
  }

  listen(events: CallerEvents): void {
    this.events = events;
  }

  read(): void {
    this.request.on('data', (chunk: Buffer) => this.events?.body(chunk));
    this.request.on('end', () => this.events?.bodyEnd(this.request.rawTrailers));
  }

  pause(): void {
    this.request.pause();
  }

  resume(): void {
    this.request.resume();
  }

  inform(status: number, reason: string, fields: readonly string[]): void {
    // RFC 9110 §15.2
    if (this.request.httpVersionMinor === 0) return;
    if (status === 100) {
      this.response.writeContinue();
      return;
    }
    // Node writes a 103 only from its parts, and others not at all.
    this.response.socket?.write(`${headText(status, reason, fields)}\r\n`, 'latin1');
  }

  answer(status: number, reason: string, fields: readonly string[]): void {
    const { response } = this;
    // The container's own date goes on.
    response.sendDate = false;
    response.writeHead(status, reason, [...fields]);
    this.unflushed = true;
  }

  write(chunk: Buffer): boolean {
    this.unflushed = false;
    return this.response.write(Buffer.from(chunk));
  }

  flush(): boolean {
    if (this.unflushed) this.response.flushHeaders();
    this.unflushed = false;
    return !this.response.writableNeedDrain;
  }

  end(trailers: string[]): void {
    const { request, response } = this;
    if (trailers.length > 0)
      response.addTrailers(
        trailers.flatMap((name, i): [string, string][] =>
          i % 2 === 0 ? [[name, trailers[i + 1] as string]] : [],
        ),
      );
    response.end();
    if (request.complete || this.bodyLength === 0) return;
    // Closed with unread bytes in it, the connection would be reset, and the answer lost with it (RFC 9112 §9.6).
    this.events = undefined;
    const timer = setTimeout(() => request.destroy(), lingerMs);
    request.once('close', () => clearTimeout(timer));
    request.resume();
  }

  cut(): void {
    this.response.destroy();
    this.request.destroy();
  }
}

/** What Node's parser lets pass, and two programs might read differently. */
export function faultOf({ hosts, coding }: RequestFields): Problem | undefined {
  if (hosts > 1) return new Problem('validation_failed', 'Host stands twice (RFC 9112 §3.2).');
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    return new Problem(
      'validation_failed',
      'Only the transfer coding `chunked` is known here (RFC 9112 §7).',
    );
  return undefined;
}
