/** In `run IMAGE -- COMMAND` the first "--" is for us. A second one belongs to the program. */
export const withoutDashes = (words: readonly string[]): string[] =>
  words[0] === '--' ? words.slice(1) : [...words];

/** Quotes for a POSIX shell: within single quotes only the quote itself has a meaning. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Words as they are typed in a shell: quoted only where it is needed. */
export const shellWords = (words: readonly string[]): string =>
  words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : quoted(word))).join(' ');
