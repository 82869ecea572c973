import type { Server } from 'node:http';
import { shutdownWaitMs, within } from '../../shared/within.ts';
import type { Gateway } from './gateway.ts';

type Parts = {
  gateway: Pick<Gateway, 'closing' | 'env' | 'stopWaiting' | 'keyring' | 'log' | 'queue'>;
  server: Server;
  proxy: { close(): Promise<void> };
  /** Ends the connections to Redis. */
  disconnect: () => Promise<unknown>;
  janitor: { stop(): Promise<void> };
};

/** The end of the drain, kept for answers to requests that still wait. */
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

export async function drain({ gateway, server, proxy, disconnect, janitor }: Parts): Promise<void> {
  const { RUNLET_DRAIN_MS: drainMs } = gateway.env;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // Clients resume streams by Last-Event-ID, elsewhere or later.
  gateway.closing.abort();
  const lastAnswers = setTimeout(() => gateway.stopWaiting.abort(), Math.max(0, drainMs - lastAnswersMs));
  const end = setTimeout(() => server.closeAllConnections(), drainMs);
  // Connections become idle only after their last answer.
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  await closed;
  clearTimeout(lastAnswers);
  clearTimeout(end);
  clearInterval(idle);
  await proxy.close();
  await within(shutdownWaitMs, janitor.stop());
  await within(shutdownWaitMs, gateway.keyring.stop());
  await within(shutdownWaitMs, gateway.queue.close());
  await disconnect();
}
