/** A source file of a program, before anybody has looked into it. */
export type Source = { path: string; text: string };

/** What of a program's names its sources decide. */
export type Named = {
  /** By the path that was given, that which the file gets where it needs another. */
  renamed: Map<string, string>;
  /** Which of the given paths is started; undefined: the usual one. */
  entry?: string;
  mainClass?: string;
};
