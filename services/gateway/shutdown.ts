import type { Server } from 'node:http';
import type { RedisConnection } from '../../shared/redis.ts';
import { shutdownWaitMs, within } from '../../shared/within.ts';
import type { Gateway } from './gateway.ts';

type Parts = {
  gateway: Gateway;
  server: Server;
  proxy: { close(): Promise<void> };
  connections: RedisConnection[];
  janitor: { stop(): Promise<void> };
};

/** Time kept back at the end of the drain for answers to those who still wait. */
const lastAnswersMs = 1_000;

/** SIGTERM or SIGINT: nothing new is taken, what is under way is answered, then the process ends with 0. */
export function stopOnSignal(parts: Parts): void {
  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) return;
    stopping = true;
    parts.gateway.log.info({ signal }, 'stopping');
    drain(parts).then(
      () => process.exit(0),
      (error: Error) => {
        parts.gateway.log.error({ reason: error.message }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

export async function drain({ gateway, server, proxy, connections, janitor }: Parts): Promise<void> {
  const { RUNLET_DRAIN_MS: drainMs } = gateway.env;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // Streams are resumed by Last-Event-ID, elsewhere or later.
  gateway.closing.abort();
  const hurry = setTimeout(() => gateway.hurry.abort(), Math.max(0, drainMs - lastAnswersMs));
  const end = setTimeout(() => server.closeAllConnections(), drainMs);
  // A connection that has just been answered is idle only now.
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  await closed;
  clearTimeout(hurry);
  clearTimeout(end);
  clearInterval(idle);
  await proxy.close();
  await within(shutdownWaitMs, janitor.stop());
  await within(shutdownWaitMs, gateway.keyring.stop());
  await within(shutdownWaitMs, gateway.queue.close());
  for (const connection of connections) connection.disconnect();
}
