/**
 * What comes after a value: at once where it is there, later where it is promised. An `await` would be later in any case, and costs
 * more than all else that a forwarded request has to wait for, which is nothing.
 */
export const after = <A, B>(value: A | Promise<A>, next: (value: A) => B | Promise<B>): B | Promise<B> =>
  value instanceof Promise ? value.then(next) : next(value);
