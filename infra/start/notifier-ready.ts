import type { Child } from '../parts/child.ts';

/** At these log levels nothing is said of being ready. */
const quiet = ['warn', 'error', 'silent'];

/**
 * The notifier answers no requests: that it is ready stands in its log. Where that is kept quiet, one that runs is believed: what is due
 * waits for it in Redis anyway.
 *
 * @param since lines from before are of an earlier start
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
