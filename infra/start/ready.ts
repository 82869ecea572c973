import { waitUntil } from '../parts/pids.ts';
import { notifierIsReady } from './notifier-ready.ts';
import type { Service } from './services.ts';
import type { Settings } from './settings.ts';

/** A program that crashes this often before it was ever ready will never be ready. Its log says why. */
const hopelessAfter = 3;

/**
 * Waits until the gateway says that it and a worker are ready, and until the notifier is ready. Otherwise it throws an error with the
 * reason and the ends of the logs.
 */
export async function waitForReady(
  settings: Settings,
  services: Service[],
  since: number,
  isStopping: () => boolean,
): Promise<void> {
  let reason = 'the gateway has not answered yet';
  const hopeless = () => services.find((service) => service.crashes >= hopelessAfter);
  await waitUntil(
    async () => {
      reason = (await notReadyReason(settings.url)) || notifierReason(services, since);
      return reason === '' || hopeless() !== undefined || isStopping();
    },
    settings.startTimeoutMs,
    30,
  );
  if (reason === '' || isStopping()) return;
  const tails = services
    .filter((service) => hopeless() === undefined || service === hopeless())
    .map((service) => `The end of ${service.current.logFile}:\n${service.current.tail()}`);
  throw new Error(`Runlet did not become ready: ${reason}.\n${tails.join('\n')}`);
}

async function notReadyReason(url: string): Promise<string> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
    const text = await response.text();
    return response.ok ? '' : `${url}/readyz answers ${response.status} ${text.slice(0, 300)}`;
  } catch (error) {
    return `${url}/readyz does not answer (${(error as Error).message})`;
  }
}

function notifierReason(services: Service[], since: number): string {
  const notifier = services.find(({ current }) => current.name === 'notifier');
  return notifier === undefined || notifierIsReady(notifier.current, since)
    ? ''
    : 'the notifier has not said that it is ready';
}
