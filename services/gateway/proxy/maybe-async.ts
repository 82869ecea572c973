/**
 * Calls `next` with a value: at once if it is there, later if it is promised. An `await` is always later, and costs
 * time, while a forwarded request usually has nothing to wait for.
 */
export const after = <A, B>(value: A | Promise<A>, next: (value: A) => B | Promise<B>): B | Promise<B> =>
  value instanceof Promise ? value.then(next) : next(value);
