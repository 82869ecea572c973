/**
 * The states of a service. What somebody wants of it (`wanted`) and what it is (`status`) are two fields: the worker that holds it
 * brings the second to the first.
 *
 *   wanted    status on the way there                            when it is there
 *   running   starting (pulling, starting, not ready)            ready
 *             starting again after a crash, later and later      crash_looping while it waits
 *             never to come up (image, node, no restart)         failed
 *   idle      —                                                  idle: stopped by its idle clock; a request wakes it
 *   stopped   —                                                  stopped: by its owner, or by its own end
 *   removed   —                                                  removed, and the record goes
 *
 * Every write of a worker is fenced by (worker, generation): a generation is one assignment to one worker, and a worker whose
 * generation is over destroys what it has of the service.
 */
export const serviceStatuses = [
  'starting',
  'ready',
  'idle',
  'stopped',
  'crash_looping',
  'failed',
  'removed',
] as const;

export type ServiceStatus = (typeof serviceStatuses)[number];

export type ServiceWanted = 'running' | 'idle' | 'stopped' | 'removed';

/** A service in one of these states answers no request, and no request will start it. */
export const isDown = (status: ServiceStatus) =>
  status === 'stopped' || status === 'failed' || status === 'removed';
