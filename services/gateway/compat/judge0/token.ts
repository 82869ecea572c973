import { isId } from '../../../../shared/ids.ts';

/**
 * A submission's token is the id of its run, written as a UUID of version 4, which clients check for. An id is a UUIDv7
 * (shared/ids.ts): the two differ in the digit of the version alone (RFC 9562 §4.2), so nothing has to be stored.
 */
const pattern = /^([0-9a-f]{8})-([0-9a-f]{4})-4([0-9a-f]{3})-([89ab][0-9a-f]{3})-([0-9a-f]{12})$/;

/** @param runId as in `run_…` */
export function tokenOf(runId: string): string {
  const hex = runId.slice(runId.indexOf('_') + 1);
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    hex.slice(16, 20),
    hex.slice(20),
  ];
  return parts.join('-');
}

/** `undefined` for a text that is no token. */
export function runIdOf(token: string): string | undefined {
  const [, time = '', rest = '', ...others] = pattern.exec(token.toLowerCase()) ?? [];
  const id = `run_${time}${rest}7${others.join('')}`;
  return isId('run', id) ? id : undefined;
}
