import { Problem } from '../problems.ts';

/** What a tenant has and what this would add, in bytes, where a script says that together it is too much. */
export function tenantBytesProblem([held, bytes]: string[], most: number | undefined): Problem {
  return new Problem(
    'quota_exceeded',
    `The requests of this tenant's services, and of its runs that have not ended, take ${held} bytes; this one has ${bytes}, and together they may have ${most} (RUNLET_TENANT_MAX_BYTES): wait for some runs to end, remove a service, or send less.`,
    { retryAfterSeconds: 2 },
  );
}

export const systemBytesProblem = (): Problem =>
  new Problem(
    'overloaded',
    'The requests of what has not ended take all the room there is for them (RUNLET_MAX_OPEN_BYTES): try again later.',
    { retryAfterSeconds: 5 },
  );
