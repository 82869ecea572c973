import type { Socket } from 'node:net';
import { type AnswerHead, type Framing, parseAnswer } from './answer-head.ts';
import { endOfHead, excerpt } from './answer-lines.ts';
import { ChunkReader } from './chunks.ts';
import { readingOnce } from './fields.ts';
import { connectTo, type UpstreamSocket } from './upstream-socket.ts';

/** Events for whoever sent a request over a connection. After `failed`, or `ended` without `more`, there are none. */
export type Asker = {
  /** 1xx (RFC 9110 §15.2), any number of them. */
  informed(answer: Readonly<AnswerHead>): void;
  /** A 101, with what came after it. Without this method a 101 is an error: nobody asked for it. */
  switched?(answer: Readonly<AnswerHead>, rest: Buffer): void;
  answered(answer: Readonly<AnswerHead>): void;
  /** The chunk is only valid during the call: its buffer is used again. */
  data(chunk: Buffer): void;
  /** Everything that came in one read was passed on. */
  flush(): void;
  /** @param more not all of the request has been sent, and the container goes on taking it: `sentAll` is still to come, or `failed` */
  ended(trailers: string[], more: boolean): void;
  /** There is room again, after `write` returned false. */
  drained(): void;
  failed(failure: Failure): void;
};

export type Failure = {
  /** `refused`: no connection. `timeout`: no answer. `closed`: the connection broke off. `garbled`: it is not HTTP/1.1. */
  kind: 'refused' | 'timeout' | 'closed' | 'garbled';
  /** Nothing at all had come. */
  silent: boolean;
  reason: string;
};

export type Limits = { connectMs: number; answerMs: number; headBytes: number };

/**
 * All connections are read into this buffer: data is passed on at once, and whoever keeps it copies it. That saves each request a large
 * allocation and the work of a stream, a tenth of its whole cost. The socket of a tunnel is an ordinary stream.
 */
const shared = Buffer.allocUnsafeSlow(64 * 1024);

/** Servers close idle connections after 5 s (Node), 75 s (nginx) or more. A new connection is better than one that closes as we use it. */
const defaultIdleMs = 4_000;
const maxIdleMs = 60_000;
const marginMs = 1_000;
/** How many 1xx may come before an answer: they are sent even if the client does not read. */
const maxInformed = 64;

/**
 * One connection to a container: HTTP/1.1 as a client speaks it, one request at a time.
 *
 *   idle ── ask ──▶ head ──▶ length | chunked | close ──▶ sending ──▶ idle, or closed
 *
 * `sending`: the answer came before the whole request was sent, and the container keeps the connection.
 */
export class Connection {
  readonly socket: UpstreamSocket;
  /** It was used before: the container may have closed it since, which is no error. */
  used = false;
  /** While idle: until when it may be used, by performance.now(). */
  idleUntil = 0;
  connected = false;
  private readonly readHead = readingOnce(parseAnswer);
  private readonly limits: Limits;
  private readonly release: (connection: Connection, reusable: boolean) => void;
  private asker: Asker | undefined;
  private phase: 'idle' | 'head' | 'length' | 'chunked' | 'close' | 'sending' = 'idle';
  private method = '';
  private silent = true;
  /** The request has been sent in full. */
  private sent = false;
  private early: Buffer | undefined;
  private left = 0;
  private chunks: ChunkReader | undefined;
  private answer: Readonly<AnswerHead> | undefined;
  private informed = 0;
  private cause = '';
  private readonly onData = (data: Buffer) => this.read(data);
  private readonly onRead = (bytes: number) => {
    this.read(shared.subarray(0, bytes));
    return true;
  };
  private readonly onDrain = () => this.asker?.drained();
  private readonly onEnd = () => {
    // A body is complete with its last chunk, even without the empty line after it, or trailers (RFC 9112 §8).
    const whole = this.phase === 'close' || (this.phase === 'chunked' && this.chunks?.hadLast === true);
    if (whole) this.finish([], 1);
    // Its whole answer was read: nobody needs the rest of the request.
    else this.socket.destroy();
  };
  private readonly deadline: NodeJS.Timeout;

  constructor(
    address: { host: string; port: number },
    limits: Limits,
    release: (connection: Connection, reusable: boolean) => void,
    forTunnel: boolean,
  ) {
    this.limits = limits;
    this.release = release;
    // One timer a connection, not one a request: it is only looked at when it has run out.
    this.deadline = setTimeout(() => this.expired(), limits.answerMs);
    this.socket = forTunnel
      ? connectTo(address, {}).on('data', this.onData)
      : connectTo(address, { onread: { buffer: shared, callback: this.onRead } });
    const impatience = setTimeout(() => {
      this.cause = `no connection within ${limits.connectMs} ms`;
      this.socket.destroy();
    }, limits.connectMs);
    this.socket
      .on('connect', () => {
        this.connected = true;
        clearTimeout(impatience);
      })
      .on('drain', this.onDrain)
      .on('end', this.onEnd)
      .on('error', (error: NodeJS.ErrnoException) => {
        this.cause = error.code ?? error.message;
      })
      .on('close', () => {
        clearTimeout(impatience);
        clearTimeout(this.deadline);
        this.fail(this.connected ? 'closed' : 'refused');
        this.release(this, false);
      });
  }

  /** Sends the head of a request. @param whole it has no body */
  ask(asker: Asker, method: string, head: string, whole: boolean): void {
    this.asker = asker;
    this.method = method;
    this.phase = 'head';
    this.silent = true;
    this.informed = 0;
    this.sent = whole;
    this.deadline.refresh();
    this.socket.write(head, 'latin1');
  }

  /** Whether the container still reads what is sent. If not, it may have answered nevertheless. */
  get hears(): boolean {
    return this.socket.broken === undefined && !this.socket.destroyed;
  }

  /** Some of the body. False: wait for `drained`. */
  write(data: Buffer | string): boolean {
    this.deadline.refresh();
    return this.socket.write(data, 'latin1');
  }

  sentAll(): void {
    this.sent = true;
    this.deadline.refresh();
    if (this.phase !== 'sending') return;
    this.asker = undefined;
    this.rest();
  }

  /** Nobody wants the answer any more. */
  abandon(): void {
    this.asker = undefined;
    this.socket.destroy();
  }

  /** After a 101: the socket is the tunnel's from now on. */
  handOver(): Socket {
    this.asker = undefined;
    this.phase = 'idle';
    clearTimeout(this.deadline);
    return this.socket.off('data', this.onData).off('drain', this.onDrain).off('end', this.onEnd);
  }

  private read(data: Buffer): void {
    this.silent = false;
    let rest: Buffer | undefined = data;
    while (rest !== undefined && rest.length > 0) rest = this.take(rest);
    this.asker?.flush();
  }

  /** Takes the bytes of the present phase; returns the rest. */
  private take(data: Buffer): Buffer | undefined {
    switch (this.phase) {
      case 'idle':
      case 'sending':
        // Bytes without a request.
        this.socket.destroy();
        return undefined;
      case 'head':
        return this.takeHead(data);
      case 'close':
        this.asker?.data(data);
        return undefined;
      case 'length': {
        const body = data.length > this.left ? data.subarray(0, this.left) : data;
        this.left -= body.length;
        this.asker?.data(body);
        if (this.left > 0) return undefined;
        return this.finish([], data.length - body.length);
      }
      case 'chunked': {
        const { chunks } = this;
        if (chunks === undefined) return undefined;
        const taken = chunks.read(data, (body) => this.asker?.data(body));
        if (taken === -1) this.garbled(chunks.fault);
        else if (chunks.done) this.finish(chunks.trailers, data.length - taken);
        return undefined;
      }
    }
  }

  private takeHead(data: Buffer): Buffer | undefined {
    const all = withoutEmptyLines(this.early === undefined ? data : Buffer.concat([this.early, data]));
    const found = endOfHead(all, Math.max(0, (this.early?.length ?? 0) - 3));
    this.early = undefined;
    if ((found?.end ?? all.length) > this.limits.headBytes)
      return this.garbled(`its head is over ${this.limits.headBytes} bytes`);
    if (found === undefined) {
      // A server of another protocol may greet first, and then wait for us.
      const begins = all.toString('latin1', 0, Math.min(all.length, 5));
      if (begins !== '\r' && !'HTTP/'.startsWith(begins))
        return this.garbled(`it begins with ${excerpt(all.toString('latin1', 0, 80).split('\n')[0] ?? '')}`);
      this.early = Buffer.from(all);
      return undefined;
    }
    const answer = this.readHead(all.toString('latin1', 0, found.end), this.method);
    if ('fault' in answer) return this.garbled(answer.fault);
    const rest = all.subarray(found.next);
    if (answer.status === 101) {
      if (this.asker?.switched === undefined) return this.garbled('it switches protocols unasked');
      this.asker.switched(answer, Buffer.from(rest));
      return undefined;
    }
    if (answer.status < 200) {
      this.informed += 1;
      if (this.informed > maxInformed) return this.garbled('it only informs, and does not answer');
      this.asker?.informed(answer);
      return rest;
    }
    this.answer = answer;
    this.asker?.answered(answer);
    return this.beginBody(answer.framing, rest);
  }

  private beginBody(framing: Framing, rest: Buffer): Buffer | undefined {
    if (framing === 'none' || framing === 0) return this.finish([], rest.length);
    this.phase = typeof framing === 'number' ? 'length' : framing;
    if (typeof framing === 'number') this.left = framing;
    if (framing === 'chunked') this.chunks = new ChunkReader();
    return rest;
  }

  private finish(trailers: string[], leftOver = 0): undefined {
    const { asker, answer } = this;
    this.used = true;
    const reusable = answer?.keepAlive === true && leftOver === 0 && this.hears;
    if (reusable && !this.sent) {
      this.phase = 'sending';
      this.deadline.refresh();
      this.socket.resume();
      asker?.ended(trailers, true);
      return undefined;
    }
    this.asker = undefined;
    if (reusable) this.rest();
    else {
      this.phase = 'idle';
      this.socket.destroy();
    }
    // Done last: the next request may start in this call, and take this connection.
    asker?.ended(trailers, false);
    return undefined;
  }

  /** The request was sent in full, and its answer read in full: another one may take the connection. */
  private rest(): void {
    this.phase = 'idle';
    if (!this.hears) {
      this.socket.destroy();
      return;
    }
    // A slow client may have paused it; the next client is another one.
    this.socket.resume();
    const kept = this.answer?.keepAliveMs;
    this.idleUntil =
      performance.now() + (kept === undefined ? defaultIdleMs : Math.min(kept, maxIdleMs) - marginMs);
    this.release(this, true);
  }

  private garbled(reason: string): undefined {
    this.cause = reason;
    this.fail('garbled');
    this.socket.destroy();
    return undefined;
  }

  private fail(kind: Failure['kind']): void {
    const { asker } = this;
    this.asker = undefined;
    const reason = this.cause || this.socket.broken || 'it closed the connection';
    asker?.failed({ kind, silent: this.silent, reason });
  }

  private expired(): void {
    if ((this.phase !== 'head' && this.phase !== 'sending') || this.asker === undefined) return;
    this.cause = `no answer within ${this.limits.answerMs} ms`;
    this.fail('timeout');
    this.socket.destroy();
  }
}

/** Before a head (RFC 9112 §2.2), as llhttp takes them. */
function withoutEmptyLines(data: Buffer): Buffer {
  let at = 0;
  while (data[at] === 0x0a || (data[at] === 0x0d && data[at + 1] === 0x0a)) at += data[at] === 0x0a ? 1 : 2;
  return at === 0 ? data : data.subarray(at);
}
