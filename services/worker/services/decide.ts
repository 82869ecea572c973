import type { ServiceRequest } from '../../../shared/contracts/service.ts';
import type { ServiceStatus, ServiceWanted } from '../../../shared/service-states.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { ContainerState } from '../engine/containers.ts';

/** What a keeper remembers of its service from one look to the next. */
export type Memory = {
  /** The record's `restart` (it counts the fresh starts that were asked for) that was carried out last. */
  startedFor: number;
  /** The record's `bounce` (it counts the restarts of what runs) that was carried out last. */
  bouncedFor: number;
  /** The record's `restart` for which it has ended for good; -1: it has not. */
  settledFor: number;
  /** It was ready once since its last start. */
  ready: boolean;
  /** It is started again at this time, not before. */
  nextStartAt: number;
  endsInARow: number;
  /** The end that was handled last (`endOf`). */
  handledEnd: string;
  /** The engine was away, and the container was not seen running since. */
  engineWasAway: boolean;
};

/** What one look has found. */
export type Look = {
  /** `undefined`: there is none any more. */
  record: Pick<ServiceRecord, 'worker' | 'wanted' | 'status' | 'restart' | 'bounce'> | undefined;
  workerId: string;
  policy: ServiceRequest['restart'];
  /** It has written more than it may. */
  overDisk: boolean;
  /** `null`: there is none. `undefined`: the engine was not asked yet. */
  container: Pick<ContainerState, 'id' | 'running' | 'startedAt' | 'finishedAt'> | null | undefined;
  now: number;
};

/**
 * - `fence`: the service is another worker's, or gone: what is left of it here is removed
 * - `remove`: it, its network and its record go
 * - `discard`: its container goes, with what filled the disk
 * - `inspect`: the engine is asked for the container
 * - `stop`: the container is stopped, and stays
 * - `rest-down`: it is down, as is wanted
 * - `bounce`: the container is stopped, to be started again at once
 * - `await-ready`, `watch-idle`: it runs
 * - `handle-end`: it ended by itself
 * - `give-up`: its container was removed by somebody else, and it may not be started again
 * - `start`: its container, or a new one
 * - `rest`: it has ended for good, or the time of its next start has not come
 */
export type Action =
  | 'fence'
  | 'remove'
  | 'discard'
  | 'inspect'
  | 'stop'
  | 'rest-down'
  | 'bounce'
  | 'await-ready'
  | 'watch-idle'
  | 'handle-end'
  | 'give-up'
  | 'start'
  | 'rest';

/** A record may change without a message: it is read at least so often. */
export const lookMs = 1_000;

/** What a keeper begins with: of an adopted service, all that was asked for before is done. */
export function firstMemory(record: Pick<ServiceRecord, 'restart' | 'bounce' | 'status' | 'state'>): Memory {
  const nodeWasLost = record.state.error?.code === 'node_lost';
  const hasEnded = record.status === 'stopped' || (record.status === 'failed' && !nodeWasLost);
  return {
    startedFor: record.restart,
    bouncedFor: record.bounce,
    settledFor: hasEnded ? record.restart : -1,
    ready: false,
    nextStartAt: 0,
    endsInARow: 0,
    handledEnd: '',
    engineWasAway: nodeWasLost,
  };
}

/** What the keeper does next. Pure: the rows of the table in the order in which they count. */
export function decide(memory: Memory, look: Look): Action {
  const { record, container, now } = look;
  if (record === undefined || record.worker !== look.workerId) return 'fence';
  if (record.wanted === 'removed') return 'remove';
  if (look.overDisk) return 'discard';
  if (container === undefined) return 'inspect';
  const runs = container?.running === true;
  if (record.wanted !== 'running') return runs ? 'stop' : 'rest-down';
  const fresh = isFresh(memory, record);
  if (runs) {
    if (fresh && record.bounce !== memory.bouncedFor) return 'bounce';
    return memory.ready && record.status === 'ready' ? 'watch-idle' : 'await-ready';
  }
  if (fresh) return 'start';
  const settled = memory.settledFor === record.restart;
  const hasRun = container !== null && container.startedAt !== null;
  if (hasRun && endOf(container) !== memory.handledEnd && !settled) return 'handle-end';
  if (container === null && record.status === 'ready' && look.policy === 'never') return 'give-up';
  return settled || now < memory.nextStartAt ? 'rest' : 'start';
}

/** A fresh start was asked for, and not carried out yet. */
export function isFresh(memory: Pick<Memory, 'startedFor'>, record: Pick<ServiceRecord, 'restart'>): boolean {
  return record.restart !== memory.startedFor;
}

/** Before a fresh start is carried out: earlier ends count no more. What runs already, and need not be stopped first, is that start. */
export function forgetEnds(
  memory: Memory,
  record: Pick<ServiceRecord, 'restart' | 'bounce'>,
  runs: boolean,
): Memory {
  return {
    ...memory,
    startedFor: runs ? record.restart : memory.startedFor,
    bouncedFor: record.bounce,
    settledFor: -1,
    nextStartAt: 0,
    endsInARow: 0,
  };
}

/** How long it rests when it is not running and should be. */
export function restMs(memory: Memory, record: Pick<ServiceRecord, 'restart'>, now: number): number {
  if (memory.settledFor === record.restart) return lookMs;
  return Math.max(1, Math.min(lookMs, memory.nextStartAt - now));
}

/** Tells one end of a container from its others. */
export function endOf(container: Pick<ContainerState, 'id' | 'finishedAt'> | null): string {
  return container === null ? '' : `${container.id} ${container.finishedAt}`;
}

/** What a service that is down is called; `undefined`: it is called so already, or has failed, which stays. */
export function downStatus({
  wanted,
  status,
}: Pick<ServiceRecord, 'wanted' | 'status'>): ServiceStatus | undefined {
  const down = wanted === 'idle' ? 'idle' : 'stopped';
  return status === down || status === 'failed' ? undefined : down;
}

/**
 * While it is being stopped because it is `wanted` idle or stopped:
 * - `wait`: it is not this worker’s any more: only the end of the stop is waited for
 * - `hurry`: it is wanted again
 * - `report-down`: the stop takes long, and gateways should know now that it sleeps
 * - `look-again`
 */
export function decideWhileStopping(
  wanted: ServiceWanted,
  look: { record: Look['record']; workerId: string; takesLong: boolean },
): 'wait' | 'hurry' | 'report-down' | 'look-again' {
  const { record } = look;
  if (record === undefined || record.worker !== look.workerId) return 'wait';
  if (record.wanted === 'running') return 'hurry';
  return wanted === 'idle' && record.wanted === 'idle' && look.takesLong ? 'report-down' : 'look-again';
}

/**
 * Whose a record is that this worker has read: its own to `keep`; another worker's of the same engine, to be adopted if that worker is
 * dead (`adopt-if-dead`); or none of its business.
 */
export function decideKeeping(
  record: Pick<ServiceRecord, 'worker' | 'engine'>,
  { workerId, engineId }: { workerId: string; engineId: string },
): 'keep' | 'adopt-if-dead' | 'leave' {
  if (record.worker === null) return 'leave';
  if (record.worker === workerId) return 'keep';
  return record.engine === engineId ? 'adopt-if-dead' : 'leave';
}
