import type { Socket } from 'node:net';
import { linger } from '../../http/linger.ts';
import { headText } from '../answers.ts';
import type { Caller, CallerEvents } from './caller.ts';
import { addressOf } from './node-caller.ts';
import type { PlainRequest } from './plain-request.ts';
import type { RequestFields } from './request-fields.ts';

/** Pieces up to this size are joined into one write; larger ones are written by themselves. */
const smallBytes = 8 * 1024;

/** A plain request of the fast path, and its answer, which is one write where possible. */
export class FastCaller implements Caller {
  readonly method: string;
  readonly host: string;
  readonly fields: Readonly<RequestFields>;
  readonly address: string;
  readonly bodyLength: number;
  gone = false;
  private readonly socket: Socket;
  /** Called when the request is over. */
  private readonly over: (close: boolean) => void;
  private events: CallerEvents | undefined;
  private tell = () => {};
  private bodyLeft: number;
  private early: Buffer | undefined;
  private close: boolean;
  private chunked = false;
  private out = '';
  /** The answer is complete, and the request's body is not. */
  private ended = false;

  /** @param early the part of the body that came with the head */
  constructor(socket: Socket, request: PlainRequest, early: Buffer, over: (close: boolean) => void) {
    this.socket = socket;
    this.method = request.method;
    this.host = request.host;
    this.fields = request.fields;
    this.bodyLength = request.bodyLength;
    this.close = request.fields.closes;
    this.address = addressOf(socket);
    this.over = over;
    this.bodyLeft = request.bodyLength;
    if (this.bodyLeft === 0) return;
    this.early = early.subarray(0, this.bodyLeft);
    socket.pause();
  }

  /** Whether the next bytes belong to its body. */
  get expectsBody(): boolean {
    return this.bodyLeft > 0;
  }

  whenGone(tell: () => void): void {
    this.tell = tell;
  }

  leave(): void {
    this.gone = true;
    this.tell();
  }

  listen(events: CallerEvents): void {
    this.events = events;
  }

  read(): void {
    this.socket.resume();
    if (this.early !== undefined) this.take(this.early);
    this.early = undefined;
  }

  /** Takes bytes that have come. Returns how many of them belong to the body. */
  take(data: Buffer): number {
    const body = data.length > this.bodyLeft ? data.subarray(0, this.bodyLeft) : data;
    this.bodyLeft -= body.length;
    if (body.length > 0) this.events?.body(body);
    if (this.bodyLeft === 0) {
      this.events?.bodyEnd([]);
      if (this.ended) this.finish();
    }
    return body.length;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  clientDrained(): void {
    this.events?.clientDrained();
  }

  inform(status: number, reason: string, fields: readonly string[]): void {
    this.socket.write(`${headText(status, reason, fields)}\r\n`, 'latin1');
  }

  answer(
    status: number,
    reason: string,
    fields: readonly string[],
    length: number | null | undefined,
    more: boolean,
  ): void {
    this.chunked = length === undefined;
    // The answer comes before the whole request: nobody needs the rest of it, so the connection cannot be used again.
    if (this.bodyLeft > 0 && !more) this.close = true;
    this.out = headText(status, reason, fields);
    if (this.chunked) this.out += 'Transfer-Encoding: chunked\r\n';
    if (this.close) this.out += 'Connection: close\r\n';
    this.out += '\r\n';
  }

  write(chunk: Buffer): boolean {
    if (chunk.length === 0) return true;
    if (this.chunked) this.out += `${chunk.length.toString(16)}\r\n`;
    if (chunk.length <= smallBytes) {
      this.out += chunk.toString('latin1');
      if (this.chunked) this.out += '\r\n';
      return this.out.length <= 8 * smallBytes || this.flush();
    }
    this.socket.cork();
    this.flush();
    const room = this.socket.write(Buffer.from(chunk));
    if (this.chunked) this.out = '\r\n';
    this.socket.uncork();
    return room;
  }

  flush(): boolean {
    if (this.out === '') return !this.socket.writableNeedDrain;
    const { out } = this;
    this.out = '';
    return this.socket.write(out, 'latin1');
  }

  end(trailers: string[], more: boolean): void {
    if (this.chunked) {
      this.out += '0\r\n';
      for (let i = 0; i < trailers.length; i += 2) this.out += `${trailers[i]}: ${trailers[i + 1]}\r\n`;
      this.out += '\r\n';
    }
    this.flush();
    this.ended = true;
    if (this.bodyLeft === 0) this.finish();
    else if (!more) this.discard();
  }

  discard(): void {
    this.close = true;
    linger(this.socket);
    this.finish();
  }

  cut(): void {
    this.socket.destroy();
  }

  private finish(): void {
    this.ended = false;
    this.events = undefined;
    this.tell = () => {};
    this.over(this.close);
  }
}
