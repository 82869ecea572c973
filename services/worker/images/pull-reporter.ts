import type { PullEvent, PullLayer } from '../../../shared/contracts/events.ts';

/** A pull's progress is told at most so often. */
const everyMs = 250;

/** Tells how far a pull is: at most every so often, one after another. What cannot be told is no reason to end the pull. */
export function createPullReporter(reference: string, tell: (pull: PullEvent) => Promise<unknown>) {
  let latest: PullLayer[] = [];
  let toldAt = 0;
  let telling: Promise<unknown> = Promise.resolve();
  const say = (status: PullEvent['status']) => {
    toldAt = Date.now();
    const pull = { reference, status, layers: latest } satisfies PullEvent;
    telling = telling.then(() => tell(pull)).catch(() => {});
  };
  return {
    report(layers: PullLayer[]): void {
      latest = layers;
      if (Date.now() - toldAt >= everyMs) say('pulling');
    },
    /** Tells the last state, if something was pulled. Resolves when all is told. */
    async end(pulled: boolean): Promise<void> {
      if (pulled) say('done');
      await telling;
    },
  };
}
