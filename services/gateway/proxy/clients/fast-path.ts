import type { Socket } from 'node:net';
import type { Caller } from './caller.ts';
import { FastCaller } from './fast-caller.ts';
import { type PlainRequest, plainRequests } from './plain-request.ts';

/** The same as the server's keepAliveTimeout: so the client closes first. */
const idleMs = 75_000;
const sweepMs = 5_000;

/** Returns who answers the request. `undefined`: the request goes to Node's server. */
export type FastPathHandler = (request: PlainRequest) => ((caller: Caller) => void) | undefined;

/**
 * The fast path: connections whose requests are for services and plain (plain-request.ts) are read and answered here, without
 * node:http. With the first other request the connection goes to Node's server, for good; no byte is lost.
 *
 * Measured on the 2-core machine that these numbers are from, 32 connections, one gateway process, CPU a request: a Node server that
 * only answers `hello` 71 µs; proxies that do nothing else, over node:http and its Agent 270 µs, node:http and undici's Pool 145 µs,
 * node:http and the sockets of connection.ts 150 µs, sockets on both sides 50 µs. node:http on the client's side alone would keep the proxy
 * below half of what a Node service answers by itself.
 */
export function openFastPath(handle: FastPathHandler) {
  const all = new Set<FastConnection>();

  const sweeping = setInterval(() => {
    const before = performance.now() - idleMs;
    for (const connection of all) if (connection.idleSince < before) connection.socket.destroy();
  }, sweepMs).unref();

  return {
    /** @param adopt takes a connection that is not for the fast path */
    accept(socket: Socket, adopt: (socket: Socket) => void): void {
      const connection = new FastConnection(socket, handle, (toNode) => {
        all.delete(connection);
        if (toNode) adopt(socket);
      });
      all.add(connection);
    },

    closeIdle(): void {
      for (const connection of all)
        if (connection.idleSince < Number.POSITIVE_INFINITY) connection.socket.destroy();
    },

    closeAll(): void {
      for (const connection of all) connection.socket.destroy();
    },

    stop(): void {
      clearInterval(sweeping);
      this.closeAll();
    },
  };
}

class FastConnection {
  readonly socket: Socket;
  /** By performance.now(); infinite while it is busy. */
  idleSince = performance.now();
  private readonly read = plainRequests();
  private readonly handle: FastPathHandler;
  /** The connection leaves the fast path. */
  private readonly leave: (toNode: boolean) => void;
  private current: FastCaller | undefined;
  /** Bytes of the next request, which came before the answer to this one. */
  private rest: Buffer | undefined;
  private ending = false;

  constructor(socket: Socket, handle: FastPathHandler, leave: (toNode: boolean) => void) {
    this.socket = socket;
    this.handle = handle;
    this.leave = leave;
    socket.setNoDelay(true);
    socket
      .on('data', this.onData)
      .on('drain', this.onDrain)
      .on('end', this.onEnd)
      .on('error', ignore)
      .on('close', this.onClose);
  }

  private readonly onData = (data: Buffer) => {
    if (this.ending) return;
    if (this.current === undefined) return this.next(data);
    const taken = this.current.expectsBody ? this.current.take(data) : 0;
    if (taken === data.length) return;
    // The next request came before the answer to this one: no more is read than this.
    this.rest =
      this.rest === undefined ? data.subarray(taken) : Buffer.concat([this.rest, data.subarray(taken)]);
    this.socket.pause();
    // This one was answered before its whole body had come.
    if (this.current === undefined && !this.ending && !this.socket.writableNeedDrain) this.continue();
  };

  private readonly onDrain = () => {
    if (this.current !== undefined) this.current.clientDrained();
    else if (!this.ending) this.continue();
  };

  /** A client that ends its side counts as gone, as with Node's server. */
  private readonly onEnd = () => {
    if (this.current === undefined) this.socket.end();
    else this.socket.destroy();
  };

  private readonly onClose = () => {
    this.leave(false);
    this.current?.leave();
  };

  /** A request begins with `data`. */
  private next(data: Buffer): void {
    const request = this.read(data);
    const take = request && this.handle(request);
    if (take === undefined || request === undefined) {
      this.handOver(data);
      return;
    }
    const rest = data.subarray(request.headBytes);
    this.idleSince = Number.POSITIVE_INFINITY;
    const caller = new FastCaller(this.socket, request, rest, (close) => this.answered(close));
    this.current = caller;
    if (rest.length > request.bodyLength) {
      this.rest = rest.subarray(request.bodyLength);
      this.socket.pause();
    }
    take(caller);
  }

  private answered(close: boolean): void {
    const expectsBody = this.current?.expectsBody;
    this.current = undefined;
    this.idleSince = performance.now();
    if (close) {
      this.ending = true;
      // If some of the body is still coming, the caller closes the socket later.
      if (expectsBody) this.socket.end();
      else this.socket.destroySoon();
    } else if (this.socket.writableNeedDrain) {
      // A client that sends requests and reads no answers is not read any further.
      this.socket.pause();
    } else this.continue();
  }

  private continue(): void {
    const { rest } = this;
    this.rest = undefined;
    this.socket.resume();
    if (rest !== undefined) this.next(rest);
  }

  private handOver(data: Buffer): void {
    const { socket } = this;
    socket
      .off('data', this.onData)
      .off('drain', this.onDrain)
      .off('end', this.onEnd)
      .off('error', ignore)
      .off('close', this.onClose);
    socket.pause();
    socket.unshift(data);
    this.leave(true);
    socket.resume();
  }
}

const ignore = () => {};
