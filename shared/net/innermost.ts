/** What a failed connection was in the end: an error of many addresses holds one for each, a wrapped one its cause. */
export function innermost(error: unknown): NodeJS.ErrnoException {
  let at = error as NodeJS.ErrnoException;
  for (let depth = 0; depth < 5; depth += 1) {
    const next = at instanceof AggregateError ? at.errors[0] : at.cause;
    if (!(next instanceof Error)) break;
    at = next;
  }
  return at;
}
