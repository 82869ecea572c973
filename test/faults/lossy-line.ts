import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type LossyLine = {
  /** A Redis by this address is the one behind the line. */
  url: string;
  /** The next answer is lost, and the connection with it: what was sent was carried out, and nobody is told so. */
  loseNext(): void;
  /** Connections that are there now stay, and say nothing any more: as if a firewall had forgotten them. */
  freeze(): void;
  /** How many answers were lost. */
  lost(): number;
  stop(): Promise<void>;
};

/** A line to a Redis on a unix socket. */
export async function startLossyLine(redisUrl: string): Promise<LossyLine> {
  const path = redisUrl.replace(/^unix:\/\//, '');
  const sockets = new Set<Socket>();
  let frozen = new Set<Socket>();
  let losing = false;
  let lost = 0;
  const server = createServer((client) => {
    const redis = connect(path);
    const end = () => {
      client.destroy();
      redis.destroy();
    };
    for (const socket of [client, redis]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    client.pipe(redis);
    redis.on('data', (answer: Buffer) => {
      if (frozen.has(redis)) return;
      if (!losing) return client.write(answer);
      losing = false;
      lost += 1;
      end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    loseNext: () => {
      losing = true;
    },
    freeze: () => {
      frozen = new Set(sockets);
    },
    lost: () => lost,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
