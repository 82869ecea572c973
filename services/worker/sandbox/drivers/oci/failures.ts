import { constants } from 'node:os';
import { Problem } from '../../../../../shared/problems.ts';
import { workerLost } from '../../../../../shared/run-losses.ts';
import { causeIn } from '../../../engine/causes.ts';
import { holdsMore } from '../../../engine/holds-more.ts';
import { LaunchFailed } from './launcher.ts';

const { EAGAIN, EBUSY, EDQUOT, EMFILE, ENFILE, ENOMEM, ENOSPC } = constants.errno;
/** Something of the machine's has run out. (A cgroup that may have no more below it says EAGAIN, memory's of v1 ENOSPC.) */
const exhausted = [EAGAIN, EDQUOT, EMFILE, ENFILE, ENOMEM, ENOSPC];
const exhaustedText =
  // The last is crun's where a file of its own could be written in part only.
  /no space left|quota exceeded|cannot allocate|out of memory|temporarily unavailable|too many open files|write to seccomp fd/i;
const retryAfterSeconds = 10;
/** As a shell says it: 128 and SIGKILL. Within a sandbox's cgroup only the kernel kills, for want of memory. */
const killed = 137;

/** Why a sandbox could not be given other limits. */
export function limitsProblem(error: unknown): unknown {
  // The kernel's word where a cgroup (v1) holds more memory than its new limit.
  return error instanceof LaunchFailed && error.stage !== 'runtime' && error.number === EBUSY
    ? holdsMore(error)
    : launchProblem(error);
}

/** Why a sandbox could not be made, for the user. Any other error is returned as it is. */
export function launchProblem(error: unknown): unknown {
  if (!(error instanceof LaunchFailed)) return error;
  const { stage, number, message } = error;
  if (stage === 'lost') return workerLost('launcher');
  const isExhausted = stage === 'runtime' ? exhaustedText.test(message) : exhausted.includes(number);
  if (isExhausted)
    return new Problem(
      'overloaded',
      `The worker’s machine cannot take another sandbox: ${causeIn(message)}. Try again later.`,
      { cause: error, retryAfterSeconds },
    );
  if (stage !== 'runtime') return error;
  if (number === killed)
    return new Problem(
      'start_failed',
      'The sandbox could not be started within limits.memoryBytes: what starts it was killed. Raise it.',
      { cause: error },
    );
  return new Problem('start_failed', `The sandbox could not be started: ${causeIn(message)}.`, {
    cause: error,
  });
}
