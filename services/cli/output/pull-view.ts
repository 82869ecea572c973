import type { PullEvent } from '../../../shared/contracts/events.ts';

/** Shows an image on its way. Every event is a whole picture, so a view may skip any of them. */
export interface PullView {
  show(picture: PullEvent, worker?: string): Promise<void>;
  /** Leaves the terminal as it was, below the last line shown. */
  stop(): Promise<void>;
}
