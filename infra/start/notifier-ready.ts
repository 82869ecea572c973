import type { Child } from '../parts/child.ts';

/** At these log levels the log does not say that the notifier is ready. */
const quiet = ['warn', 'error', 'silent'];

/**
 * The notifier answers no requests, so its log tells when it is ready. If the log level hides that line, a running notifier counts as
 * ready: deliveries wait for it in Redis anyway.
 *
 * @param since older lines belong to an earlier start
 */
export function notifierIsReady(
  notifier: Pick<Child, 'isRunning' | 'tail'>,
  since: number,
  logLevel = process.env.RUNLET_LOG_LEVEL ?? '',
): boolean {
  if (quiet.includes(logLevel)) return notifier.isRunning();
  return notifier
    .tail()
    .split('\n')
    .some((line) => saysReady(line, since));
}

function saysReady(line: string, since: number): boolean {
  try {
    const { msg, time } = JSON.parse(line) as { msg?: unknown; time?: unknown };
    return msg === 'ready' && Date.parse(String(time)) >= since;
  } catch {
    return false;
  }
}
