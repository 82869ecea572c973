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
  dress: (fields: readonly string[]) => readonly string[];
  /** There was no answer, and the client has heard of nothing yet. Whoever is told answers in its place. */
  unanswered: (failure: Failure | 'full', untouched: boolean) => void;
  /** It is over, however. Called once, and not after `unanswered`. */
  over: () => void;
};

const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/**
 * One request on a connection to the container, both bodies streaming at once. Neither side is read faster than the other takes it.
 *
 *   no answer         unanswered
 *   broken answer     the client's connection breaks too: what it has is not the whole
 *   the client goes   the connection to the container breaks: it need not go on
 *   an early answer   before the whole request came: it goes back at once, and the request goes on as long as the container keeps its
 *                     connection and reads; once it does not, the client's connection ends with the answer (RFC 9112 §9.6)
 */
export class Exchange implements Asker, CallerEvents {
  private readonly caller: Caller;
  private readonly options: Exchanged;
  private readonly pool: Pool;
  private connection: Connection | undefined;
  /** The connection may have been closed by the container before this request came to it. */
  private used = false;
  private reading = false;
  private wholeRead: boolean;
  private begun = false;
  private finished = false;
  /** The client waits for a 100 before it sends the body, or may; none of either has come. */
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
    // Not before there is somebody to take it: what was not read can be sent elsewhere.
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
    this.caller.inform(status, reason, this.options.dress(fields));
  }

  answered({ status, reason, fields, framing, keepAlive, named }: AnswerHead): void {
    this.begun = true;
    this.namedByAnswer = named;
    this.answeredStatus = status;
    const length = framing === 'none' ? null : typeof framing === 'number' ? framing : undefined;
    // Who was to wait for a 100, and got this, may send the body or not: what comes next could be read as either (RFC 9110 §10.1.1).
    const more = keepAlive && !this.expects && this.connection?.hears === true;
    this.caller.answer(status, reason, this.options.dress(fields), length, more);
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
      // What was refused may still come to its end, so that both connections stay of use; but not for ever.
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

  /** The client has its answer, and nobody wants the rest of its request. */
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
