import { Problem } from '../../../shared/problems.ts';

export { isStoreError } from '../../../shared/store-errors.ts';

export function storeProblem(cause: unknown): Problem {
  return new Problem(
    'store_unavailable',
    'Redis does not answer at present, so nothing can be stored or read: try again in some seconds.',
    { retryAfterSeconds: 2, cause },
  );
}
