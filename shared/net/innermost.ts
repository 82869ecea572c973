/**
 * The first cause of a failed connection. An error for several addresses holds one error for each; a wrapped error holds its
 * cause.
 */
export function innermost(error: unknown): NodeJS.ErrnoException {
  let at = error as NodeJS.ErrnoException;
  for (let depth = 0; depth < 5; depth += 1) {
    const next = at instanceof AggregateError ? at.errors[0] : at.cause;
    if (!(next instanceof Error)) break;
    at = next;
  }
  return at;
}
