import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Problem } from '../../../shared/problems.ts';
import { linger } from '../http/linger.ts';
import { problemBody, problemFields } from '../http/problem-fields.ts';
import { headText } from './answers.ts';
import { addressOf } from './clients/node-caller.ts';
import { readRequestFields } from './clients/request-fields.ts';
import type { Entrance } from './entrance.ts';
import { failureProblem } from './failures.ts';
import { Handshake } from './handshake.ts';
import type { KnownServices } from './known-services.ts';
import type { Target } from './target.ts';

/** TCP keep-alive finds out that the other side has vanished. */
const keepAliveMs = 60_000;

/**
 * WebSockets (RFC 6455) and whatever else a client switches to with `Upgrade`: once the container has agreed, bytes are passed both ways
 * until both sides have ended. There is no time limit of ours.
 */
export function openTunnels(
  entrance: Entrance,
  services: Pick<KnownServices, 'leave'>,
  problemOf: (error: unknown) => Problem,
) {
  const open = new Set<Socket>();

  async function connect(
    incoming: IncomingMessage,
    { host, target }: { host: string; target: Target },
    client: WaitingClient,
  ): Promise<void> {
    const { socket } = client;
    const fields = readRequestFields(incoming.rawHeaders);
    const wanted = { method: incoming.method ?? 'GET', host, fields, address: addressOf(socket), target };
    const admitted = await entrance.enter(wanted);
    const { known } = admitted;
    known.open += 1;
    const release = admitted.pass.hold(() => socket.destroy());
    try {
      const pool = await entrance.reach(known, client);
      if (pool === undefined) return;
      const connection = pool.takeForTunnel();
      if (connection === undefined) throw failureProblem(known.record.head, 'full');
      client.whenGone(() => connection.abandon());
      const { head, changeFields } = entrance.prepare(admitted, wanted, 0, fields.upgrade);
      await new Promise<void>((resolve, reject) => {
        const handshake = new Handshake(socket, connection, changeFields, {
          switched: (container, rest) => pass(client, container, rest),
          unanswered: (failure) => reject(failureProblem(known.record.head, failure)),
          refused: () => client.end(),
        });
        socket.once('close', resolve);
        connection.ask(handshake, wanted.method, head, true);
      });
    } finally {
      release();
      services.leave(known);
    }
  }

  return {
    open(
      incoming: IncomingMessage,
      to: { host: string; target: Target },
      socket: Socket,
      early: Buffer,
    ): void {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      const client = new WaitingClient(socket, early);
      connect(incoming, to, client).catch((error) => {
        if (!socket.destroyed) refuse(client, problemOf(error));
      });
    },

    closeAll(): void {
      for (const socket of open) socket.destroy();
    },
  };
}

/** A client whose request to switch protocols is not answered yet. Its socket is read, to notice when it leaves. */
class WaitingClient {
  readonly socket: Socket;
  gone = false;
  private readonly early: Buffer[];
  private tell = () => {};

  constructor(socket: Socket, early: Buffer) {
    this.socket = socket;
    this.early = [early];
    socket
      .on('data', this.onData)
      .on('end', this.onEnd)
      .on('error', () => socket.destroy())
      .on('close', () => {
        this.gone = true;
        this.tell();
      });
  }

  whenGone(tell: () => void): void {
    this.tell = tell;
  }

  /** For a client that was refused. What it has sent already, as some do, is thrown away. */
  end(): void {
    this.takeEarly();
    this.socket.end();
    linger(this.socket);
  }

  /** What it has sent so far. Its socket is not read here any more. */
  takeEarly(): Buffer[] {
    this.socket.off('data', this.onData).off('end', this.onEnd);
    return this.early;
  }

  private readonly onData = (data: Buffer) => {
    this.early.push(data);
    this.socket.pause();
  };

  private readonly onEnd = () => this.socket.destroy();
}

function pass(client: WaitingClient, container: Socket, rest: Buffer): void {
  const { socket } = client;
  for (const side of [socket, container]) {
    side.setTimeout(0);
    side.setNoDelay(true);
    side.setKeepAlive(true, keepAliveMs);
  }
  for (const data of client.takeEarly()) container.write(data);
  socket.write(rest);
  socket.pipe(container);
  container.pipe(socket);
  container.on('close', () => socket.destroySoon());
  socket.on('close', () => container.destroy());
}

function refuse(client: WaitingClient, problem: Problem): void {
  const { socket } = client;
  const body = problemBody(problem);
  const fields = [...problemFields(problem), 'Content-Length', String(body.length), 'Connection', 'close'];
  socket.write(`${headText(problem.status, STATUS_CODES[problem.status] ?? '', fields)}\r\n`, 'latin1');
  socket.write(body);
  client.end();
}
