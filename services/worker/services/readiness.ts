import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PlainService } from '../../../shared/stores/service-record.ts';

/** Where a service is asked whether it is ready. */
type Probe = { port: number; path: string | undefined };

/** The first tries come quickly: most services are ready long before the first interval is over. */
const firstWaitMs = 10;
const tryMs = 5_000;
/** A service without a port is ready when it runs. One that cannot be executed, or ends at once, has ended by then. */
const beginsMs = 200;

/**
 * Resolves when the service is ready; with the reason of the last failure when its time is over, or `undefined` when the signal came.
 *
 * @param since its time (`health.timeoutMs`) is counted from here
 */
export async function untilServiceReady(
  address: string,
  { port: ownPort, tcpPorts, health }: Pick<PlainService, 'port' | 'tcpPorts' | 'health'>,
  { since, signal }: { since: number; signal: AbortSignal },
): Promise<'ready' | { failed: string } | undefined> {
  const port = ownPort ?? tcpPorts[0];
  if (port === undefined) return stillRuns(signal);
  const timeoutMs = Math.max(1, since + health.timeoutMs - Date.now());
  const { intervalMs, path } = health;
  return untilReady(address, { port, path }, { intervalMs, timeoutMs, signal });
}

async function stillRuns(signal: AbortSignal): Promise<'ready' | undefined> {
  await sleep(beginsMs, undefined, { signal }).catch(() => {});
  return signal.aborted ? undefined : 'ready';
}

async function untilReady(
  address: string,
  probe: Probe,
  { intervalMs, timeoutMs, signal }: { intervalMs: number; timeoutMs: number; signal: AbortSignal },
): Promise<'ready' | { failed: string } | undefined> {
  const until = performance.now() + timeoutMs;
  let wait = Math.min(firstWaitMs, intervalMs);
  for (;;) {
    if (signal.aborted) return undefined;
    const left = until - performance.now();
    const fault = await look(address, probe, Math.max(1, Math.min(tryMs, left)), signal).catch(
      // A path that cannot be sent (an earlier version accepted it): the service is not ready, and this is why.
      (error: Error) => error.message,
    );
    if (fault === undefined) return 'ready';
    if (performance.now() + wait > until) return signal.aborted ? undefined : { failed: fault };
    await sleep(wait, undefined, { signal }).catch(() => {});
    wait = Math.min(intervalMs, wait * 1.5);
  }
}

/** `undefined`: ready; else why not. */
function look(
  address: string,
  { port, path }: Probe,
  ms: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  return path === undefined ? accepts(address, port, ms, signal) : answers(address, port, path, ms, signal);
}

function accepts(host: string, port: number, ms: number, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (fault: string | undefined) => {
      signal.removeEventListener('abort', aborted);
      socket.destroy();
      resolve(fault);
    };
    const aborted = () => end('it was stopped');
    signal.addEventListener('abort', aborted, { once: true });
    socket.setTimeout(ms, () => end(`port ${port} did not answer within ${Math.round(ms)} ms`));
    socket.once('connect', () => end(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      end(`port ${port} accepted no connection (${error.code ?? error.message})`),
    );
  });
}

function answers(
  host: string,
  port: number,
  path: string,
  ms: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const one = request(
      { host, port, path, headers: { host: `localhost:${port}`, connection: 'close' }, timeout: ms, signal },
      (response) => {
        response.destroy();
        const { statusCode = 0 } = response;
        resolve(statusCode >= 200 && statusCode < 400 ? undefined : `GET ${path} answered ${statusCode}`);
      },
    );
    one.once('timeout', () => one.destroy(new Error(`no answer within ${Math.round(ms)} ms`)));
    one.once('error', (error: NodeJS.ErrnoException) =>
      resolve(`GET ${path} at port ${port} failed (${error.code ?? error.message})`),
    );
    one.end();
  });
}
