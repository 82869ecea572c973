/** A source file of a program, before it is read. */
export type Source = { path: string; text: string };

/** Names of a program that its sources decide. */
export type Named = {
  /** From the given path of a file to its new path, for each file that needs another one. */
  renamed: Map<string, string>;
  /** The given path of the file to start. `undefined`: the usual one. */
  entry?: string;
  mainClass?: string;
};
