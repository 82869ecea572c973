import type { InitSession } from './init/session.ts';

/** Where a run's programs are started. It has only what the execution of a run needs. */
export type Sandbox = {
  /** The connection to its init. */
  session: InitSession;
  /** Kills all programs in it at once. */
  kill(): Promise<void>;
  /** Why the session broke off: `memory` when the kernel killed something in it because memory ran out. */
  lostBy(): Promise<'memory' | 'unknown'>;
  ranOutOfMemory(): Promise<boolean>;
  /** Destroys it; it is never used again. Idempotent. */
  remove(): Promise<void>;
};
