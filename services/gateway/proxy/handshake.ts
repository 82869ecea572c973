import type { Socket } from 'node:net';
import { headText } from './answers.ts';
import type { AnswerHead } from './http1/answer-head.ts';
import type { Asker, Connection, Failure } from './http1/connection.ts';

export type Outcome = {
  /** The container has agreed: from now on bytes are passed both ways. `rest` came after its head. */
  switched: (container: Socket, rest: Buffer) => void;
  /** The container has not answered, and nothing was sent to the client. */
  unanswered: (failure: Failure) => void;
  /** The container has refused, and its answer was passed on. */
  refused: () => void;
};

/** Passes the container's answer to a request to switch protocols (RFC 9110 §7.8) on to the client. */
export class Handshake implements Asker {
  private readonly client: Socket;
  private readonly connection: Connection;
  private readonly changeFields: (fields: readonly string[]) => readonly string[];
  private readonly outcome: Outcome;
  private begun = false;

  constructor(
    client: Socket,
    connection: Connection,
    changeFields: (fields: readonly string[]) => readonly string[],
    outcome: Outcome,
  ) {
    this.client = client;
    this.connection = connection;
    this.changeFields = changeFields;
    this.outcome = outcome;
  }

  informed(): void {}

  switched({ reason, fields, upgrade }: AnswerHead, rest: Buffer): void {
    const protocol = upgrade === undefined ? [] : ['Upgrade', upgrade];
    const all = ['Connection', 'Upgrade', ...protocol, ...this.changeFields(fields)];
    this.client.write(`${headText(101, reason, all)}\r\n`, 'latin1');
    this.outcome.switched(this.connection.handOver(), rest);
  }

  /** For the client the body ends with the connection, however the container has framed it. */
  answered({ status, reason, fields }: AnswerHead): void {
    this.begun = true;
    const all = [...this.changeFields(fields), 'Connection', 'close'];
    this.client.write(`${headText(status, reason, all)}\r\n`, 'latin1');
  }

  data(chunk: Buffer): void {
    if (this.client.write(Buffer.from(chunk))) return;
    this.connection.socket.pause();
    this.client.once('drain', () => this.connection.socket.resume());
  }

  flush(): void {}

  drained(): void {}

  ended(): void {
    this.outcome.refused();
  }

  failed(failure: Failure): void {
    // With a FIN, a body that ends with the connection would look whole.
    if (this.begun) this.client.resetAndDestroy();
    else this.outcome.unanswered(failure);
  }
}
