import type { KillCause } from '../sandbox/program/exit.ts';

/** Why a run is ended before its program ends by itself. */
export type StopCause = KillCause | 'shutdown';

export type Stop = ReturnType<typeof createStop>;

/** Ends a run: the first cause wins, later ones change nothing. */
export function createStop() {
  const controller = new AbortController();
  let cause: StopCause | undefined;
  return {
    signal: controller.signal,
    cause: () => cause,
    stop(because: StopCause): void {
      if (cause !== undefined) return;
      cause = because;
      controller.abort(new Stopped(because));
    },
  };
}

/** Thrown where a run is stopped before its program ends. */
export class Stopped extends Error {
  readonly why: StopCause;
  constructor(why: StopCause) {
    super(`stopped: ${why}`);
    this.why = why;
  }
}
