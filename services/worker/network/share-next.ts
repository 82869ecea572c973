/**
 * Checks one after another. Whoever asks while one is under way gets the result of the next, together with all others who ask meanwhile:
 * it begins after they asked. So many at once cost two checks.
 */
export function shareNext(check: () => Promise<void>): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  return () => {
    if (next !== undefined) return next;
    const mine = last.then(() => {
      next = undefined;
      return check();
    });
    next = mine;
    last = mine.catch(() => {});
    return mine;
  };
}
