import type { PullEvent, PullLayer } from '../../../shared/contracts/events.ts';
import { familiarName } from '../../../shared/images.ts';
import type { Holder, RunStore } from '../../../shared/stores/runs.ts';
import type { ImageInfo } from '../engine/images.ts';
import { imageOf } from '../images/image-of.ts';
import type { Attempt, Execution } from './attempt.ts';
import { moveOrStop } from './move-or-stop.ts';
import type { RunProgress } from './run-progress.ts';

/** Pull progress goes to the run's stream at most so often. */
const pullEventMs = 250;

/** The run's image, on the engine: pulled where it is missing. @param lately it may be as the engine described it a moment ago */
export async function bringImage(
  execution: Pick<Execution, 'runs' | 'images'>,
  { holder, request, stop }: Attempt,
  progress: RunProgress,
  lately: boolean,
): Promise<ImageInfo> {
  const reference = imageOf(request);
  const familiar = familiarName(reference);
  progress.imageChosen(reference);
  const reporter = pullReporter(execution.runs, holder, familiar);
  const { image, pullMs } = await execution.images.provide(familiar, request.pull, holder.tenant, {
    beforePull: () => moveOrStop(execution.runs, holder, 'pulling', progress.current(), stop),
    onProgress: reporter.report,
    signal: stop.signal,
    lately,
  });
  await reporter.end(pullMs !== null);
  progress.imageReady(reference, image.digest, pullMs);
  return image;
}

/** Sends the state of the pull to the run's stream, at most every so often, and the last one always. */
function pullReporter(runs: RunStore, holder: Holder, reference: string) {
  let latest: PullLayer[] = [];
  let sentAt = 0;
  let sequence = 0;
  let sending: Promise<unknown> = Promise.resolve();
  const send = (status: PullEvent['status']) => {
    sentAt = Date.now();
    sequence += 1;
    const data = JSON.stringify({ reference, status, layers: latest } satisfies PullEvent);
    const number = `p${sequence}`;
    sending = sending.then(() => runs.append(holder, number, [{ type: 'pull', data }])).catch(() => {});
  };
  return {
    report: (layers: PullLayer[]) => {
      latest = layers;
      if (Date.now() - sentAt >= pullEventMs) send('pulling');
    },
    end: async (pulled: boolean) => {
      if (pulled) send('done');
      await sending;
    },
  };
}
