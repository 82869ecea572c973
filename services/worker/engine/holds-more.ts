import { Problem } from '../../../shared/problems.ts';

/** A container cannot be given a memory limit that is less than it holds already and cannot let go of: files in memory. */
export const holdsMore = (cause: unknown): Problem =>
  new Problem(
    'memory_limit',
    'What lies in the writable folders already takes more than this memory limit: set it higher, or leave less there.',
    { cause },
  );
