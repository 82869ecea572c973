import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { type FastPathHandler, openFastPath } from '../../../services/gateway/proxy/clients/fast-path.ts';
import {
  type RequestFields,
  readRequestFields,
} from '../../../services/gateway/proxy/clients/request-fields.ts';
import { tokens } from './corpus.ts';

/** A socket without a wire: what is fed is read in just these pieces. */
export class Wire extends Duplex {
  out = '';
  broken: string | undefined;
  bytesRead = 0;
  remoteAddress = '192.0.2.1';

  constructor() {
    super({ allowHalfOpen: true, decodeStrings: true });
    this.on('error', () => {});
  }

  override _read() {}

  override _write(data: Buffer, _encoding: string, done: () => void) {
    this.out += data.toString('latin1');
    done();
  }

  setNoDelay = () => this;
  setKeepAlive = () => this;
  setTimeout = () => this;
  ref = () => this;
  unref = () => this;

  destroySoon() {
    if (this.writable) this.end(() => this.destroy());
    else this.destroy();
  }

  /** One after another, each taken before the next. */
  async feed(pieces: Buffer[]): Promise<void> {
    for (const piece of pieces) {
      if (this.destroyed) return;
      this.push(piece);
      await turn();
    }
    if (!this.destroyed) this.push(null);
    await turn();
  }
}

export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

export type Heard = { method: string; target: string; fields: RequestFields; body: string; whole: boolean };

/** What Node's server makes of bytes, or, with the lane in front of it, what both together do. */
export async function hearRequests(pieces: Buffer[], withLane: boolean) {
  const heard: Heard[] = [];
  let refused = false;
  const byLane: Heard[] = [];
  const server = createServer({ keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 });
  const byNode = (incoming: IncomingMessage, answer: () => void) => {
    const fields = readRequestFields(incoming.rawHeaders);
    const one = { method: incoming.method ?? '', target: incoming.url ?? '', fields, body: '', whole: false };
    heard.push(one);
    incoming.on('error', () => {});
    incoming.on('data', (data: Buffer) => {
      one.body += data.toString('latin1');
    });
    incoming.on('end', () => {
      one.whole = true;
      answer();
    });
  };
  server.on('request', (incoming, outgoing) => byNode(incoming, () => outgoing.end()));
  server.on('checkContinue', (incoming, outgoing) => byNode(incoming, () => outgoing.end()));
  server.on('upgrade', (incoming, socket: Duplex) => byNode(incoming, () => socket.destroy()));
  server.on('connect', (_, socket: Duplex) => socket.destroy());
  server.on('clientError', (_, socket) => {
    refused = true;
    socket.destroy();
  });
  const wire = new Wire();
  if (withLane) {
    const handler: FastPathHandler = (plain) => (caller) => {
      const one = {
        method: plain.method,
        target: plain.target,
        fields: plain.fields,
        body: '',
        whole: false,
      };
      heard.push(one);
      byLane.push(one);
      const answer = () => {
        one.whole = true;
        caller.answer(200, 'OK', [], 0, false);
        caller.end([], false);
      };
      caller.listen({
        body: (chunk) => {
          one.body += chunk.toString('latin1');
        },
        bodyEnd: answer,
        clientDrained: () => {},
      });
      if (caller.bodyLength === 0) answer();
      else caller.read();
    };
    const lane = openFastPath(handler);
    lane.accept(wire as unknown as Socket, () => server.emit('connection', wire));
    await wire.feed(pieces);
    lane.stop();
  } else {
    server.emit('connection', wire);
    await wire.feed(pieces);
  }
  await turn();
  wire.destroy();
  (server as Server).close();
  return { heard, refused, byLane };
}

export type Answered = {
  informed: number[];
  head: { status: number; reason: string; rawHeaders: string[] } | undefined;
  body: string;
  /** `open`: neither its end nor a fault has come. */
  end: 'whole' | 'broken' | 'refused' | 'open' | 'switched';
  why?: string | undefined;
};

/** What Node's client makes of an answer. */
export async function hearAnswer(pieces: Buffer[], method: string, lenient: boolean): Promise<Answered> {
  const got: Answered = { informed: [], head: undefined, body: '', end: 'open' };
  const wire = new Wire();
  const outgoing = request({
    ...{ method, insecureHTTPParser: lenient, host: 'a', path: '/', maxHeaderSize: 64 * 1024 },
    createConnection: () => wire as unknown as Socket,
  });
  outgoing.on('information', ({ statusCode }) => got.informed.push(statusCode));
  outgoing.on('upgrade', () => {
    got.end = 'switched';
  });
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    if (got.end !== 'open') return;
    got.end = got.head === undefined ? 'refused' : 'broken';
    got.why = `${error.code} ${error.message}`;
  });
  outgoing.on('response', (incoming) => {
    const { statusCode = 0, statusMessage = '', rawHeaders } = incoming;
    got.head = { status: statusCode, reason: statusMessage, rawHeaders };
    incoming.on('data', (data: Buffer) => {
      got.body += data.toString('latin1');
    });
    incoming.on('end', () => {
      if (got.end === 'open') got.end = 'whole';
    });
    incoming.on('error', (error: NodeJS.ErrnoException) => {
      if (got.end === 'open') got.end = 'broken';
      got.why = `${error.code} ${error.message}`;
    });
  });
  outgoing.end();
  await turn();
  await wire.feed(pieces);
  await turn();
  wire.destroy();
  await turn();
  return got;
}

/** One of the corpus, with a few changes. */
export const mutated = (corpus: readonly string[]) =>
  fc
    .tuple(
      fc.constantFrom(...corpus),
      fc.array(
        fc.record({
          at: fc.nat(10_000),
          how: fc.constantFrom('put', 'put', 'replace', 'drop', 'repeat', 'swap', 'byte'),
          token: fc.constantFrom(...tokens),
          length: fc.integer({ min: 1, max: 12 }),
          byte: fc.integer({ min: 0, max: 255 }),
        }),
        { maxLength: 3 },
      ),
    )
    .map(([text, changes]) => {
      let all = text;
      for (const { at, how, token, length, byte } of changes) {
        const i = at % (all.length + 1);
        const [before, some, after] = [all.slice(0, i), all.slice(i, i + length), all.slice(i + length)];
        if (how === 'put') all = before + token + some + after;
        else if (how === 'replace') all = before + token + after;
        else if (how === 'drop') all = before + after;
        else if (how === 'repeat') all = before + some + some + after;
        else if (how === 'swap') all = before + after.slice(0, length) + some + after.slice(length);
        else all = before + String.fromCharCode(byte) + some.slice(1) + after;
      }
      return all;
    });

/** How it comes: all at once, byte by byte, or anyhow. */
export const cutting: fc.Arbitrary<number[]> = fc.oneof(
  fc.constant<number[]>([]),
  fc.constant<number[]>([1]),
  fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }),
);

export function cut(text: string, sizes: number[]): Buffer[] {
  const all = Buffer.from(text, 'latin1');
  if (sizes.length === 0) return [all];
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < all.length; i += 1) {
    const size = sizes[i % sizes.length] as number;
    pieces.push(all.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
