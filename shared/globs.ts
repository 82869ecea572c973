/**
 * Globs for paths with `/` between their parts: `?` and `*` within a part, `[a-z]` and `[!a-z]`, `**` for any number of parts,
 * and `\` before a character that stands for itself. Names that begin with a dot are treated like other names.
 *
 * This is our own matcher because the client writes the pattern and the program chooses the names, so neither can be trusted.
 * There are no braces, whose expansion is exponential. A match follows all positions at once, so its time is at most the
 * product of the two lengths.
 */
export type Glob = { test(path: string): boolean };

type Token =
  | { kind: 'character'; value: string }
  | { kind: 'one' }
  | { kind: 'many' }
  | { kind: 'set'; inverted: boolean; ranges: [from: string, to: string][] };
type Part = Token[] | 'any parts';

/** What is wrong with a glob; `undefined` if nothing is. */
export function globFault(text: string): string | undefined {
  if (text.includes('\0')) return 'must not contain a NUL character';
  if (text.startsWith('/')) return 'must be relative to the work folder, without a "/" at its start';
  if (text.endsWith('/')) return 'must name files: no "/" at its end; "folder/**" takes a whole folder';
  const parts = text.split('/');
  if (parts.includes('')) return 'must not contain an empty part ("//")';
  if (parts.includes('.') || parts.includes('..')) return 'must not contain "." or ".." as a part';
  if (parts.some((part) => part !== '**' && part.includes('**'))) return 'has "**" beside other characters';
  if (/\\(?:\/|$)/.test(text)) return 'has a "\\" with nothing behind it';
  if (/^(?:[^\\{}]|\\.)*[{}]/s.test(text)) return 'has braces, which are not known here: write several globs';
  return undefined;
}

export function parseGlob(text: string): Glob {
  const parts = text.split('/').map((part): Part => (part === '**' ? 'any parts' : tokensOf(part)));
  // `out/**` matches what is in the folder, but not a file called `out`.
  if (parts.at(-1) === 'any parts') parts.push(tokensOf('*'));
  return {
    test(path) {
      const names = path.split('/').map((name) => [...name]);
      return walk(
        parts,
        names.length,
        (part) => part === 'any parts',
        (part, at) => part !== 'any parts' && matchName(part, names[at] as string[]),
      );
    },
  };
}

/** One glob that matches if any of these globs matches. */
export function parseGlobs(texts: string[]): Glob {
  const globs = texts.map(parseGlob);
  return { test: (path) => globs.some((glob) => glob.test(path)) };
}

function matchName(tokens: Token[], name: string[]): boolean {
  return walk(
    tokens,
    name.length,
    (token) => token.kind === 'many',
    (token, at) => fits(token, name[at] as string),
  );
}

/** True if the whole pattern matches all `length` items. `repeats` tells which pieces match any number of items. */
function walk<T>(
  pattern: T[],
  length: number,
  repeats: (piece: T) => boolean,
  takes: (piece: T, at: number) => boolean,
): boolean {
  // states[i]: the first i pieces have matched all items so far.
  let states = skipRepeats(
    pattern,
    Array.from({ length: pattern.length + 1 }, (_, i) => i === 0),
    repeats,
  );
  for (let at = 0; at < length; at++) {
    const next = new Array<boolean>(pattern.length + 1).fill(false);
    for (const [i, piece] of pattern.entries()) {
      if (states[i] !== true) continue;
      if (repeats(piece)) next[i] = true;
      else if (takes(piece, at)) next[i + 1] = true;
    }
    states = skipRepeats(pattern, next, repeats);
  }
  return states[pattern.length] === true;
}

function skipRepeats<T>(pattern: T[], states: boolean[], repeats: (piece: T) => boolean): boolean[] {
  for (const [i, piece] of pattern.entries()) if (states[i] === true && repeats(piece)) states[i + 1] = true;
  return states;
}

function fits(token: Token, character: string): boolean {
  switch (token.kind) {
    case 'character':
      return token.value === character;
    case 'one':
      return true;
    case 'many':
      return false;
    case 'set':
      return token.ranges.some(([from, to]) => from <= character && character <= to) !== token.inverted;
    default:
      return token satisfies never;
  }
}

function tokensOf(part: string): Token[] {
  const characters = [...part];
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string;
    if (character === '*') tokens.push({ kind: 'many' });
    else if (character === '?') tokens.push({ kind: 'one' });
    else if (character === '\\') {
      at += 1;
      tokens.push({ kind: 'character', value: characters[at] ?? '\\' });
    } else {
      const set = character === '[' ? setAt(characters, at) : undefined;
      if (set === undefined) tokens.push({ kind: 'character', value: character });
      else {
        tokens.push(set.token);
        at = set.end;
      }
    }
  }
  return tokens;
}

/** The set that begins at `[`. Undefined if it is never closed: then the bracket is an ordinary character. */
function setAt(characters: string[], start: number): { token: Token; end: number } | undefined {
  const inverted = characters[start + 1] === '!' || characters[start + 1] === '^';
  const first = start + (inverted ? 2 : 1);
  // A "]" in the first place is a member of the set (POSIX 2.13.1).
  const end = characters.indexOf(']', first + 1);
  if (end < 0) return undefined;
  const ranges: [string, string][] = [];
  for (let at = first; at < end; at++) {
    const from = characters[at] as string;
    if (characters[at + 1] === '-' && at + 2 < end) {
      ranges.push([from, characters[at + 2] as string]);
      at += 2;
    } else ranges.push([from, from]);
  }
  return { token: { kind: 'set', inverted, ranges }, end };
}
