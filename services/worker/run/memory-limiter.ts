import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import type { Opened } from '../sandbox/sandboxes.ts';
import { sandboxLimits } from '../sandbox/spec.ts';

/**
 * Changes the memory limit of a sandbox between the steps of a run. Most runs have the same for all of them, and then nothing is
 * changed.
 *
 * @param made the limits that the sandbox has now
 */
export function memoryLimiter(
  { update }: Pick<NonNullable<Opened['own']>, 'update'>,
  made: RunRequest['limits'],
): (memoryBytes: number) => Promise<void> {
  let current = made.memoryBytes;
  return async (memoryBytes) => {
    if (memoryBytes === current) return;
    await update(sandboxLimits({ ...made, memoryBytes }));
    current = memoryBytes;
  };
}
