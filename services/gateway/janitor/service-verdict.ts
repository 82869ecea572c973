import type { ServiceRecord } from '../../../shared/stores/service-record.ts';

/** A worker is lost after this time at the latest for a service that is starting, since somebody waits for it. */
const neededAfterMs = 10_000;

export type ServiceVerdict = 'leave' | 'place' | 'node_lost' | 'forget';

export type ServiceGlance = Pick<ServiceRecord, 'wanted' | 'worker' | 'status'> & {
  head: { request: { volumes: readonly unknown[] } };
};

/**
 * What to do with a service that no live worker holds.
 *
 *   to be removed                                  forget it: what is left on its engine goes when that is back (reaper)
 *   to run, held by nobody                         place it
 *   to run, its worker dead, without volumes       place it on another engine; the old copy is fenced, and destroyed when it is back
 *   to run, its worker dead, with volumes          say that its node is gone
 *
 * @param lostAfterMs a worker that restarts on the same engine takes its services over within this time
 */
export function judgeService(
  { wanted, worker, status, head }: ServiceGlance,
  deadMs: number | undefined,
  lostAfterMs: number,
): ServiceVerdict {
  if (worker !== null && deadMs === undefined) return 'leave';
  const patience = status === 'starting' ? Math.min(neededAfterMs, lostAfterMs) : lostAfterMs;
  const lost = worker === null || (deadMs ?? 0) > patience;
  if (!lost) return 'leave';
  if (wanted === 'removed') return 'forget';
  if (wanted !== 'running' || status === 'failed') return 'leave';
  if (worker !== null && head.request.volumes.length > 0) return 'node_lost';
  return 'place';
}
