import type { Socket } from 'node:net';
import { headText } from './answers.ts';
import type { AnswerHead } from './http1/answer-head.ts';
import type { Asker, Connection, Failure } from './http1/connection.ts';

export type Outcome = {
  /** The container has agreed: what both sides say from now on is theirs. `rest` came after its head. */
  switched: (container: Socket, rest: Buffer) => void;
  /** It has not answered at all, and the client has heard of nothing. */
  unanswered: (failure: Failure) => void;
  /** It has refused, and the refusal has been passed on. */
  refused: () => void;
};

/** What a container answers to a request to switch protocols (RFC 9110 §7.8), on its way to the client. */
export class Handshake implements Asker {
  private readonly client: Socket;
  private readonly connection: Connection;
  private readonly dress: (fields: readonly string[]) => readonly string[];
  private readonly outcome: Outcome;
  private begun = false;

  constructor(
    client: Socket,
    connection: Connection,
    dress: (fields: readonly string[]) => readonly string[],
    outcome: Outcome,
  ) {
    this.client = client;
    this.connection = connection;
    this.dress = dress;
    this.outcome = outcome;
  }

  informed(): void {}

  switched({ reason, fields, upgrade }: AnswerHead, rest: Buffer): void {
    const protocol = upgrade === undefined ? [] : ['Upgrade', upgrade];
    const all = ['Connection', 'Upgrade', ...protocol, ...this.dress(fields)];
    this.client.write(`${headText(101, reason, all)}\r\n`, 'latin1');
    this.outcome.switched(this.connection.handOver(), rest);
  }

  /** Its body ends with the connection, whatever it ended with before. */
  answered({ status, reason, fields }: AnswerHead): void {
    this.begun = true;
    const all = [...this.dress(fields), 'Connection', 'close'];
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
