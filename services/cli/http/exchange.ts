import type { Readable } from 'node:stream';

export type Exchange = {
  method: string;
  headers: Record<string, string>;
  body?: string | Uint8Array;
  /** Ends the exchange, also while the body is read. */
  signal?: AbortSignal;
};

/** An answer, when its head has come. */
export type Answer = {
  status: number;
  statusText: string;
  /** The status is 2xx. */
  ok: boolean;
  header: (name: string) => string | undefined;
  /** The bytes, as they come. It fails when the connection is lost before its end. */
  body: Readable;
  text: () => Promise<string>;
};

/**
 * One HTTP exchange. Redirects are not followed: one would pass the key on, or turn a POST into a GET. Node's `fetch` does the same, and
 * takes longer: to load it and its parser costs a short command 30 ms, and the end of the process waits while V8 optimises that parser,
 * 150 ms after a stream of some events (measured where `node -e 0` takes 80).
 */
export async function exchange(url: string, { method, headers, body, signal }: Exchange): Promise<Answer> {
  // An import would make all that the module exports, its WebSocket among it, which takes 40 ms.
  const { request } = process.getBuiltinModule(/^https:/i.test(url) ? 'node:https' : 'node:http');
  const answers = Promise.withResolvers<Answer>();
  const outgoing = request(
    url,
    { method, headers: { 'accept-encoding': 'gzip', ...headers }, ...(signal && { signal }) },
    (incoming) => {
      const status = incoming.statusCode ?? 0;
      const header = (name: string) => {
        const value = incoming.headers[name];
        return typeof value === 'object' ? value.join(', ') : value;
      };
      const decoded = header('content-encoding') === 'gzip' ? unzipped(incoming) : Promise.resolve(incoming);
      decoded.then(
        (bytes) =>
          answers.resolve({
            status,
            statusText: incoming.statusMessage ?? '',
            ok: status >= 200 && status < 300,
            header,
            body: bytes,
            text: () => textOf(bytes),
          }),
        answers.reject,
      );
    },
  );
  // After the answer, whoever reads its body hears of a lost connection.
  outgoing.on('error', answers.reject);
  outgoing.end(body);
  return answers.promise;
}

async function textOf(bytes: Readable): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of bytes) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

async function unzipped(incoming: Readable): Promise<Readable> {
  const [{ createGunzip }, { pipeline }] = await Promise.all([import('node:zlib'), import('node:stream')]);
  // A failure destroys both ends: it is met where the bytes are read.
  return pipeline(incoming, createGunzip(), () => {});
}
