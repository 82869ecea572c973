/** In `run IMAGE -- COMMAND` the first "--" is for us. A second one belongs to the program. */
export const withoutDashes = (words: readonly string[]): string[] =>
  words[0] === '--' ? words.slice(1) : [...words];
