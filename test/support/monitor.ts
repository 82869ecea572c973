import { connect } from 'node:net';
import { createInterface } from 'node:readline';

/** A command that Redis has carried out. `source`: an address, or `lua`. */
export type Seen = (command: string[], source: string) => void;

/**
 * Everything that a Redis is asked for, by whoever (MONITOR). Resolves when it has begun. ioredis' own `monitor()` fails where Redis tells of a
 * command together with its first answer.
 *
 * @param url as in unix:///path/redis.sock or redis://127.0.0.1:6379
 */
export async function monitorRedis(url: string, onCommand: Seen): Promise<{ stop(): void }> {
  const { protocol, pathname, hostname, port } = new URL(url);
  const socket = connect(protocol === 'unix:' ? { path: pathname } : { host: hostname, port: Number(port) });
  const begun = Promise.withResolvers<void>();
  socket.on('error', begun.reject);
  createInterface({ input: socket }).on('line', (line) => {
    if (line === '+OK') return begun.resolve();
    const [, source = '', words = ''] = /^\+[\d.]+ \[\d+ ([^\]]*)\] (.*)$/.exec(line) ?? [];
    // As sdscatrepr writes them: in double quotes, with backslashes.
    onCommand(
      [...words.matchAll(/"((?:\\.|[^"\\])*)"/g)].map(([, word = '']) => word),
      source,
    );
  });
  socket.write('MONITOR\r\n');
  await begun.promise;
  return { stop: () => socket.destroy() };
}
