import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { discardRest, endAfterRequest } from '../../http/early-answer.ts';
import { headText } from '../answers.ts';
import { without } from '../http1/answer-head.ts';
import type { Caller, CallerEvents } from './caller.ts';
import { type RequestFields, readRequestFields } from './request-fields.ts';

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
  private begun = false;
  /** The answer's body ends with the connection. */
  private untilClose = false;

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
      if (!response.writableFinished) this.leave();
    });
    request.on('close', () => {
      if (!request.complete) this.leave();
    });
    response.on('drain', () => this.events?.clientDrained());
  }

  get gone(): boolean {
    return this.left;
  }

  private leave(): void {
    this.left = true;
    this.tell();
  }

  /** Some of the body may still come. Before `read` that is not known, so it counts as unread. */
  private get unread(): boolean {
    return this.bodyLength !== 0 && !(this.begun && this.request.complete);
  }

  whenGone(tell: () => void): void {
    this.tell = tell;
  }

  listen(events: CallerEvents): void {
    this.events = events;
  }

  read(): void {
    this.begun = true;
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
    // Node writes a 103 only from a list of links, and no other 1xx.
    this.response.socket?.write(`${headText(status, reason, fields)}\r\n`, 'latin1');
  }

  answer(
    status: number,
    reason: string,
    fields: readonly string[],
    length: number | null | undefined,
    more: boolean,
  ): void {
    const { request, response } = this;
    // The container's own Date field is passed on.
    response.sendDate = false;
    const close = this.unread && !more ? ['Connection', 'close'] : [];
    this.untilClose = length === undefined && request.httpVersionMinor === 0;
    // Node throws where trailers are announced and cannot come (ERR_HTTP_TRAILER_INVALID).
    const chunked = length === undefined && !this.untilClose;
    response.writeHead(status, reason, [...(chunked ? fields : without(fields, ['trailer'])), ...close]);
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

  end(trailers: string[], more: boolean): void {
    const { response } = this;
    if (trailers.length > 0)
      response.addTrailers(
        trailers.flatMap((name, i): [string, string][] =>
          i % 2 === 0 ? [[name, trailers[i + 1] as string]] : [],
        ),
      );
    if (this.unread) endAfterRequest(this.request);
    response.end();
    if (more) return;
    this.tell = () => {};
    if (this.unread) this.discard();
  }

  discard(): void {
    this.events = undefined;
    this.tell = () => {};
    discardRest(this.request);
  }

  cut(): void {
    const { request, response } = this;
    // A FIN would make the part of the answer look like the whole.
    if (this.untilClose && !request.socket.destroyed) request.socket.resetAndDestroy();
    response.destroy();
    request.destroy();
  }
}
