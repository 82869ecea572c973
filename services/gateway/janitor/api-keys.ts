import type { Gateway } from '../gateway.ts';

const everyMs = 60_000;
/** Expired keys are shown for so long, so that whoever wonders why one is refused finds it. */
const shownMs = 7 * 24 * 3_600_000;

/** Takes away keys that expired long ago. */
export function createApiKeySweep({ apiKeys }: Pick<Gateway, 'apiKeys'>) {
  let dueAt = 0;
  return async (now: number): Promise<void> => {
    if (now < dueAt) return;
    dueAt = now + everyMs;
    await apiKeys.sweep(now - shownMs);
  };
}
