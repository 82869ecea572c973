import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export type Received = { at: number; path: string; headers: IncomingHttpHeaders; body: string };

export type Receiver = {
  /** Without a path. */
  url: string;
  port: number;
  /** In the order in which they came. */
  received: Received[];
  /** Sets how requests are answered from now on. The default is 204. */
  answer(how: (one: Received, response: ServerResponse) => void): void;
  /** Resolves when this many have come (to a path). */
  came(count: number, path?: string): Promise<Received[]>;
  stop(): Promise<void>;
};

/** A customer's server that receives webhooks, on loopback. */
export async function startReceiver(host = '127.0.0.1'): Promise<Receiver> {
  const received: Received[] = [];
  let wake: (() => void)[] = [];
  let handler = (_: Received, response: ServerResponse): void => {
    response.writeHead(204).end();
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const one = { at: Date.now(), path: request.url ?? '', headers: request.headers, body };
      received.push(one);
      handler(one, response);
      for (const resolve of wake.splice(0)) resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    port,
    received,
    answer: (how) => {
      handler = how;
    },
    async came(count, path) {
      for (;;) {
        const matching = received.filter((one) => path === undefined || one.path === path);
        if (matching.length >= count) return matching;
        await new Promise<void>((resolve) => {
          wake.push(resolve);
        });
      }
    },
    stop: () => {
      wake = [];
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Verifies a delivery with the published library, as a receiver does. Throws when it is not genuine. */
export function verified(secret: string, { headers, body }: Pick<Received, 'headers' | 'body'>): unknown {
  return new Webhook(secret).verify(body, headers as Record<string, string>);
}
