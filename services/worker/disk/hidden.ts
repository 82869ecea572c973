import type { DiskUse } from './look.ts';

type Look = { bytes: number; writtenBytes: number; freeBytes: number };

/**
 * A file that is deleted, and whose only descriptor lies in the queue of a socket, is seen nowhere in /proc. What can be seen is that
 * something lies there (`scm_fds` of proc_pid_fdinfo(5)), how much the container has written since nothing did, and how much less is free:
 * the smaller of both is hidden, but for what is in sight. So it is where there is more than can be looked at in time.
 */
export function createHiddenBytes() {
  let before: Look | undefined;
  /** @param isFinal there will be no look that sees more */
  return (use: DiskUse, freeBytes: number, isFinal: boolean): number => {
    const now = {
      bytes: use.bytes.reduce((sum, one) => sum + one, 0),
      writtenBytes: use.writtenBytes,
      freeBytes,
    };
    if (before === undefined || (use.onTheirWay === 0 && isFinal)) before = now;
    const gone = Math.min(now.writtenBytes - before.writtenBytes, before.freeBytes - now.freeBytes);
    return Math.max(0, gone - Math.max(0, now.bytes - before.bytes));
  };
}
