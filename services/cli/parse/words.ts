/** `run IMAGE -- COMMAND`: the first "--" is ours; a second one is the program's. */
export const withoutDashes = (words: readonly string[]): string[] =>
  words[0] === '--' ? words.slice(1) : [...words];
