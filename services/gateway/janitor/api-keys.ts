import type { Gateway } from '../gateway.ts';

const everyMs = 60_000;
/** Expired keys stay in the list for so long: whoever wonders why a key is refused finds it there. */
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
