import { Problem } from './problems.ts';

// The errors of ioredis and Redis that mean: the store cannot take a command now, but may later.
const connection =
  /Connection is closed|isn't writeable|max retries per request|Command timed out|Connection is in (subscriber|monitor) mode|All sentinels are unreachable|Failed to refresh slots cache|ClusterAllFailedError|None of startup nodes/i;
const server =
  /^(LOADING|MISCONF|OOM|READONLY|CLUSTERDOWN|NOREPLICAS|MASTERDOWN|TRYAGAIN|NOAUTH|WRONGPASS|BUSY|UNBLOCKED)\b/;
const codes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/**
 * True for an error that means the store is away, and not that our code is wrong: the same work can be tried again later. Any
 * other error would happen again.
 */
export function isStoreError(error: unknown): error is Error {
  if (!(error instanceof Error) || error instanceof Problem) return false;
  const syscall = (error as NodeJS.ErrnoException).syscall;
  const code = (error as NodeJS.ErrnoException).code;
  return (
    error.name === 'MaxRetriesPerRequestError' ||
    connection.test(error.message) ||
    server.test(error.message) ||
    // Scripts report the same errors inside their own message.
    /(^|: )-?(MISCONF|OOM|READONLY) /.test(error.message) ||
    (code !== undefined &&
      codes.has(code) &&
      (syscall === 'connect' || syscall === 'read' || syscall === 'write'))
  );
}
