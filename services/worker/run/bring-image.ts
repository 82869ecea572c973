import { familiarName } from '../../../shared/images.ts';
import type { ImageInfo } from '../engine/images.ts';
import { imageOf } from '../images/image-of.ts';
import { createPullReporter } from '../images/pull-reporter.ts';
import type { Attempt, Execution } from './attempt.ts';
import { moveOrStop } from './move-or-stop.ts';
import type { RunProgress } from './run-progress.ts';

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
  let events = 0;
  const reporter = createPullReporter(familiar, (pull) => {
    events += 1;
    return execution.runs.append(holder, `p${events}`, [{ type: 'pull', data: JSON.stringify(pull) }]);
  });
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
