import type { PullEvent } from '../../../shared/contracts/events.ts';

/** Shows the progress of a pull. Every event has the complete state, so a view may skip any of them. */
export interface PullView {
  show(picture: PullEvent, worker?: string): Promise<void>;
  /** Leaves the terminal as it was, below the last line shown. */
  stop(): Promise<void>;
}
