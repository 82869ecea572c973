import { InvalidArgumentError } from 'commander';

/**
 * Makes an option's parser from a plain parser. Errors that it throws become commander's "argument is invalid" with our
 * reason.
 */
export function as<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
}

/** For options that may be repeated. */
export function each<T>(parse: (text: string) => T): (text: string, before?: T[]) => T[] {
  const one = as(parse);
  return (text, before = []) => [...before, one(text)];
}

export const text = (value: string): string => value;
