import { familiarName } from '../../../shared/images.ts';
import type { Start } from '../../../shared/stores/run-claims.ts';
import type { RunKind, RunOutline, RunState } from '../../../shared/stores/run-record.ts';
import type { ImageInfo } from '../engine/images.ts';
import { imageOf } from '../images/image-of.ts';
import type { WarmOpened } from '../sandbox/sandboxes.ts';
import type { Execution } from './attempt.ts';
import { startedState, warmState } from './run-progress.ts';

/** What can be looked at before a run is claimed. */
type Foresight = Pick<Execution, 'images' | 'sandboxes'>;

/** A run for which a warm sandbox was taken before its claim, and the state in which it starts. */
export type Foreseen = { opened: WarmOpened; image: ImageInfo; state: RunState };

/** Takes a warm sandbox for a run that is about to be claimed: then claim and start are one write. */
export function foresee(execution: Foresight, outline: RunOutline, claimedAt: number): Foreseen | undefined {
  const found = imageAtHand(execution, outline);
  const queuedMs = Math.max(0, claimedAt - outline.dueAt);
  const opened =
    found && execution.sandboxes.takeWarm(outline.request, found.image, found.familiar, queuedMs);
  if (found === undefined || opened === undefined) return undefined;
  return {
    opened,
    image: found.image,
    state: startedState(warmStateOf(found, outline.firstStep), queuedMs, claimedAt),
  };
}

/**
 * What runs like this would find here; `undefined` where their image has to be asked for. `warm`: for how many of them a sandbox is ready;
 * `state`: the one in which these would start, but for its times.
 */
export function foreseeAny(execution: Foresight, kind: RunKind): Omit<Start, 'kind'> | undefined {
  const found = imageAtHand(execution, kind);
  if (found === undefined) return undefined;
  return {
    warm: execution.sandboxes.countWarm(kind.request, found.image),
    state: warmStateOf(found, kind.firstStep),
  };
}

type AtHand = { reference: string; familiar: string; image: ImageInfo };

/** The image of such a run, where it need not be asked for. */
function imageAtHand({ images }: Foresight, { request }: RunKind): AtHand | undefined {
  if (request.pull !== 'missing') return undefined;
  const reference = imageOf(request);
  const familiar = familiarName(reference);
  const image = images.recall(familiar);
  return image && { reference, familiar, image };
}

const warmStateOf = ({ reference, image }: AtHand, firstStep: string): RunState =>
  warmState({ reference, digest: image.digest }, firstStep);
