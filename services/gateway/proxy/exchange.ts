import { lingering } from '../http/linger.ts';
import type { Caller, CallerEvents } from './clients/caller.ts';
import type { AnswerHead } from './http1/answer-head.ts';
import type { Asker, Connection, Failure } from './http1/connection.ts';
import type { Pool } from './http1/pool.ts';
import { trailersOf } from './http1/trailers.ts';

export type Exchanged = {
  /** The head of the request for the container. */
  head: string;
  /** Changes the fields of an answer on its way. */
  changeFields: (fields: readonly string[]) => readonly string[];
  /** There was no answer, and nothing was sent to the client yet: the callee answers. @param untouched none of the body was read */
  unanswered: (failure: Failure | 'full', untouched: boolean) => void;
  /** The exchange is over, with or without success. Called once, and not after `unanswered`. */
  over: () => void;
};

const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/**
 * One request over a connection to the container; both bodies stream at the same time. Neither side is read faster than the other takes it.
 *
 *   no answer         unanswered
 *   broken answer     the client's connection is broken off too, since its answer is not complete
 *   the client goes   the connection to the container is closed: nobody needs the answer
 *   an early answer   before the whole request came: it is sent at once, and the request goes on while the container keeps its
 *                     connection and reads; once it does not, the client's connection ends with the answer (RFC 9112 §9.6)
 */
export class Exchange implements Asker, CallerEvents {
  private readonly caller: Caller;
  private readonly options: Exchanged;
  private readonly pool: Pool;
  private connection: Connection | undefined;
  /** The connection was used before, so the container may have closed it before this request arrived. */
  private used = false;
  private reading = false;
  private wholeRead: boolean;
  private begun = false;
  private finished = false;
  /** The client asked for a 100 before it sends the body, and neither a 100 nor any of the body has come. */
  private expects: boolean;
  private answeredStatus = 0;
  private namedByAnswer: readonly string[] = [];
  /** The whole answer has come, and not the whole request. */
  private early = false;
  private patience: NodeJS.Timeout | undefined;

  constructor(caller: Caller, pool: Pool, options: Exchanged) {
    this.caller = caller;
    this.pool = pool;
    this.options = options;
    this.wholeRead = caller.bodyLength === 0;
    this.expects = caller.fields.expects;
    caller.listen(this);
    caller.whenGone(() => {
      this.connection?.abandon();
      this.finish();
    });
    this.begin(false);
  }

  private begin(fresh: boolean): void {
    const connection = this.pool.take(fresh);
    if (connection === undefined) {
      this.decline('full');
      return;
    }
    this.connection = connection;
    this.used = connection.used;
    connection.ask(this, this.caller.method, this.options.head, this.wholeRead);
    if (this.wholeRead) return;
    // Only once there is a connection: a body that was not read can still be sent to another container.
    if (connection.connected) this.read();
    else connection.socket.once('connect', () => this.read());
  }

  private read(): void {
    if (this.finished || this.reading) return;
    this.reading = true;
    this.caller.read();
  }

  // From the client.

  body(chunk: Buffer): void {
    const { connection } = this;
    this.expects = false;
    if (connection === undefined || !connection.hears) return;
    let room: boolean;
    if (this.caller.bodyLength !== undefined) room = connection.write(chunk);
    else {
      connection.socket.cork();
      connection.write(`${chunk.length.toString(16)}\r\n`);
      connection.write(chunk);
      room = connection.write('\r\n');
      connection.socket.uncork();
    }
    if (!room) this.caller.pause();
  }

  bodyEnd(trailers: string[]): void {
    this.wholeRead = true;
    const { connection } = this;
    if (connection === undefined) return;
    if (this.caller.bodyLength === undefined) {
      let end = '0\r\n';
      const kept = trailersOf(trailers, this.caller.fields.named);
      for (let i = 0; i < kept.length; i += 2) end += `${kept[i]}: ${kept[i + 1]}\r\n`;
      connection.write(`${end}\r\n`);
    }
    if (this.early) {
      this.connection = undefined;
      this.finish();
    }
    connection.sentAll();
  }

  clientDrained(): void {
    this.connection?.socket.resume();
  }

  // From the container.

  informed({ status, reason, fields }: AnswerHead): void {
    if (status === 100) this.expects = false;
    this.caller.inform(status, reason, this.options.changeFields(fields));
  }

  answered({ status, reason, fields, framing, keepAlive, named }: AnswerHead): void {
    this.begun = true;
    this.namedByAnswer = named;
    this.answeredStatus = status;
    const length = framing === 'none' ? null : typeof framing === 'number' ? framing : undefined;
    // A client that waited for a 100, and gets this answer, may send the body or not: what comes next could be a body or a request (RFC 9110 §10.1.1).
    const more = keepAlive && !this.expects && this.connection?.hears === true;
    this.caller.answer(status, reason, this.options.changeFields(fields), length, more);
  }

  data(chunk: Buffer): void {
    if (!this.caller.write(chunk)) this.connection?.socket.pause();
  }

  drained(): void {
    if (this.reading && !this.wholeRead) this.caller.resume();
  }

  flush(): void {
    if (!this.caller.flush()) this.connection?.socket.pause();
  }

  ended(came: string[], more: boolean): void {
    const trailers = came.length === 0 ? came : trailersOf(came, this.namedByAnswer);
    if (more && !this.expects) {
      this.early = true;
      // The rest of a refused request may still come, so that both connections can be used again; but not for ever.
      if (this.answeredStatus >= 300)
        this.patience = setTimeout(() => this.stopBody('cut'), lingering.totalMs);
      this.caller.end(trailers, true);
      return;
    }
    if (more) this.connection?.abandon();
    this.connection = undefined;
    this.finish();
    this.caller.end(trailers, false);
  }

  failed(failure: Failure): void {
    if (this.early) {
      this.stopBody('discard');
      return;
    }
    this.connection = undefined;
    if (this.begun) {
      this.finish();
      this.caller.cut();
      return;
    }
    const again =
      this.used &&
      failure.kind === 'closed' &&
      failure.silent &&
      this.caller.bodyLength === 0 &&
      idempotent.has(this.caller.method);
    if (again) this.begin(true);
    else this.decline(failure);
  }

  /** The client has its answer, and nobody needs the rest of its request. */
  private stopBody(how: 'cut' | 'discard'): void {
    this.connection?.abandon();
    this.connection = undefined;
    this.finish();
    this.caller[how]();
  }

  private decline(failure: Failure | 'full'): void {
    if (this.finished) return;
    this.finished = true;
    this.options.unanswered(failure, !this.reading);
  }

  private finish(): void {
    if (this.finished) return;
    this.finished = true;
    clearTimeout(this.patience);
    this.options.over();
  }
}
