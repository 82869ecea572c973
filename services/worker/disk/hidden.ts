import type { DiskUse } from './look.ts';

type Look = { bytes: number; writtenBytes: number; freeBytes: number };

/**
 * A deleted file whose only descriptor is in the queue of a socket is visible nowhere in /proc. Visible are: that the queue has descriptors
 * (`scm_fds` of proc_pid_fdinfo(5)), how much the container has written since the queues were last empty, and how much less is free on the
 * disk. The smaller of these two numbers, less what was found since, counts as hidden. The same holds where not all could be measured in
 * time.
 */
export function createHiddenBytes() {
  let before: Look | undefined;
  /** @param isFinal no later measurement will see more */
  return (use: DiskUse, freeBytes: number, isFinal: boolean): number => {
    const now = {
      bytes: use.bytes.reduce((sum, one) => sum + one, 0),
      writtenBytes: use.writtenBytes,
      freeBytes,
    };
    if (before === undefined || (use.queuedDescriptors === 0 && isFinal)) before = now;
    const gone = Math.min(now.writtenBytes - before.writtenBytes, before.freeBytes - now.freeBytes);
    return Math.max(0, gone - Math.max(0, now.bytes - before.bytes));
  };
}
