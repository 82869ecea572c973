import type { InitSession } from './init/session.ts';

/** Where a run's programs are started: what the way of a run needs of it, and no more. */
export type Sandbox = {
  /** The init's side of it. */
  session: InitSession;
  /** Kills all programs in it at once. */
  kill(): Promise<void>;
  /** Why the session broke off: `memory` when the kernel killed something in it for want of memory. */
  lostBy(): Promise<'memory' | 'unknown'>;
  ranOutOfMemory(): Promise<boolean>;
  /** Destroys it; it is never used again. Idempotent. */
  remove(): Promise<void>;
};
