import { Problem } from '../problems.ts';

/**
 * The answer to a request that a script refused because of its tenant's bytes. It tells what the tenant has, and what this
 * request would add.
 */
export function tenantBytesProblem([held, bytes]: string[], maxBytes: number | undefined): Problem {
  return new Problem(
    'quota_exceeded',
    `The requests of this tenant's services, and of its runs that have not ended, take ${held} bytes; this one has ${bytes}, and together they may have ${maxBytes} (RUNLET_TENANT_MAX_BYTES): wait for some runs to end, remove a service, or send less.`,
    { retryAfterSeconds: 2 },
  );
}

export const systemBytesProblem = (): Problem =>
  new Problem(
    'overloaded',
    'The requests of what has not ended take all the room there is for them (RUNLET_MAX_OPEN_BYTES): try again later.',
    { retryAfterSeconds: 5 },
  );
