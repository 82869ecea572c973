import { createServer, type Server, type Socket } from 'node:net';
import type { OutputChunk } from '../../../engine/streams.ts';
import type { InitStreams } from '../../init/exchange.ts';

/** Longer than any name. */
const maxHelloBytes = 512;

export type Stdio = Awaited<ReturnType<typeof openStdio>>;

/**
 * The socket that the launcher connects each container's stdin and stdout to. The launcher says the container's name first, in one line, and
 * everything after that is the init's.
 */
export async function openStdio(path: string) {
  const expected = new Map<string, (socket: Socket, first: Buffer) => void>();

  const server: Server = createServer((socket) => {
    let held: Buffer = Buffer.alloc(0);
    const onData = (data: Buffer) => {
      held = held.length === 0 ? data : Buffer.concat([held, data]);
      const end = held.indexOf('\n');
      if (end < 0) {
        if (held.length > maxHelloBytes) socket.destroy();
        return;
      }
      socket.pause();
      socket.off('data', onData);
      const take = expected.get(held.toString('utf8', 0, end));
      if (take === undefined) socket.destroy();
      else take(socket, held.subarray(end + 1));
    };
    socket.on('data', onData);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  server.unref();

  return {
    helloOf: (name: string) => `${name}\n`,

    /** The streams of the container with this name, once it is started. `leave` is called when nobody waits for them any more. */
    expect(name: string): { streams: Promise<InitStreams>; leave: () => void } {
      const came = Promise.withResolvers<InitStreams>();
      const leave = () => {
        expected.delete(name);
        came.reject(new Error('the container was not started'));
      };
      came.promise.catch(() => {});
      expected.set(name, (socket, first) => {
        expected.delete(name);
        came.resolve(streamsOf(socket, first));
      });
      return { streams: came.promise, leave };
    },

    close(): Promise<void> {
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function streamsOf(socket: Socket, first: Buffer): InitStreams {
  if (first.length > 0) socket.unshift(first);
  async function* output(): AsyncGenerator<OutputChunk> {
    for await (const data of socket) yield { stream: 'stdout', data };
  }
  return { output: output(), stdin: socket, close: () => socket.destroy() };
}
