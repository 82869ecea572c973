import type { AnswerHead } from './answer-head.ts';
import type { Caller, CallerEvents } from './caller.ts';
import type { Asker, Connection, Failure } from './connection.ts';
import type { Pool } from './pool.ts';

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

  constructor(caller: Caller, pool: Pool, options: Exchanged) {
    this.caller = caller;
    this.pool = pool;
    this.options = options;
    this.wholeRead = caller.bodyLength === 0;
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
    if (connection === undefined || connection.socket.destroyed) return;
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
    if (this.connection === undefined) return;
    if (this.caller.bodyLength === undefined) {
      let end = '0\r\n';
      for (let i = 0; i < trailers.length; i += 2) end += `${trailers[i]}: ${trailers[i + 1]}\r\n`;
      this.connection.write(`${end}\r\n`);
    }
    this.connection.sentAll();
  }

  clientDrained(): void {
    this.connection?.socket.resume();
  }

  // From the container.

  informed({ status, reason, fields }: AnswerHead): void {
    this.caller.inform(status, reason, fields);
  }

  answered({ status, reason, fields, framing }: AnswerHead): void {
    this.begun = true;
    const length = framing === 'none' ? null : typeof framing === 'number' ? framing : undefined;
    this.caller.answer(status, reason, this.options.dress(fields), length);
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

  ended(trailers: string[]): void {
    this.connection = undefined;
    this.finish();
    this.caller.end(trailers);
  }

  failed(failure: Failure): void {
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

  private decline(failure: Failure | 'full'): void {
    if (this.finished) return;
    this.finished = true;
    this.options.unanswered(failure, !this.reading);
  }

  private finish(): void {
    if (this.finished) return;
    this.finished = true;
    this.options.over();
  }
}
