import type { Difference } from '../../../shared/contracts/judging.ts';
import { wholeCharacters } from '../../../shared/utf8.ts';

/** How much of a line a difference shows, and how much of that lies before the first byte that differs. */
const shownBytes = 160;
const shownBefore = 64;

const lineFeed = 0x0a;
/** Space, tab, vertical tab, form feed, carriage return; and line feed. */
const isWhite = (byte: number | undefined) =>
  byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);

/**
 * Compares what a program writes with what is expected, as it comes: the output is not kept. White space at the end of a line, and
 * empty lines at the end of the whole, make no difference; all else does, as most judges have it.
 */
export function compareOutput(expected: Buffer) {
  /** Of the expected line: its number, its first byte, and the end of its last byte that is not white. */
  let line = 1;
  let start = 0;
  let end = trimmedEnd(expected, 0);
  /** How many bytes of the line are as expected. */
  let same = 0;
  /** The line's bytes after those, as many as can be shown. While nothing differs, all of them are white. */
  let rest: number[] = [];
  let differs = false;
  /** The line that differs is known as far as it is shown. */
  let done = false;

  const keep = (byte: number) => {
    if (rest.length <= shownBytes) rest.push(byte);
  };
  const toNextLine = () => {
    const at = lineEnd(expected, end);
    start = Math.min(at + 1, expected.length);
    end = trimmedEnd(expected, start);
    line += 1;
    same = 0;
    if (rest.length > 0) rest = [];
  };
  const endLine = () => {
    differs ||= same < end - start;
    done = differs;
    if (!differs) toNextLine();
  };
  const take = (byte: number) => {
    if (byte === lineFeed) endLine();
    else if (rest.length === 0 && start + same < end && expected[start + same] === byte) same += 1;
    else {
      differs ||= !isWhite(byte);
      keep(byte);
      done = differs && rest.length > shownBytes;
    }
  };

  return {
    accept(data: Buffer): void {
      for (let index = 0; index < data.length && !done; index += 1) take(data[index] as number);
    },

    /** No more comes. `undefined`: it is as expected. */
    end(): Difference | undefined {
      if (!done) endLine();
      while (!done && start < expected.length) endLine();
      if (!done) return undefined;
      const from = characterAt(expected, start, Math.max(0, same - shownBefore));
      const got = Buffer.concat([expected.subarray(start + from, start + same), Buffer.from(rest)]);
      return {
        line,
        expected: excerpt(expected.subarray(start + from, end), from > 0),
        got: excerpt(got, from > 0).trimEnd(),
      };
    },
  };
}

/** Where the line ends of which this is a place. (A program may write nothing but empty lines: those are not searched for.) */
function lineEnd(text: Buffer, place: number): number {
  if (place >= text.length || text[place] === lineFeed) return place;
  const at = text.indexOf(lineFeed, place);
  return at < 0 ? text.length : at;
}

/** Where the line that begins here ends, without the white space at its end. */
function trimmedEnd(text: Buffer, start: number): number {
  let end = lineEnd(text, start);
  while (end > start && isWhite(text[end - 1])) end -= 1;
  return end;
}

/** The place itself, or that of the next character where it is inside of one. */
function characterAt(text: Buffer, start: number, place: number): number {
  for (let at = place; at < place + 4; at += 1)
    if (at === 0 || ((text[start + at] ?? 0) & 0b1100_0000) !== 0b1000_0000) return at;
  return place;
}

/** Bytes that are no UTF-8 are shown as U+FFFD. */
function excerpt(text: Buffer, isCutBefore: boolean): string {
  const shown =
    text.length > shownBytes ? `${wholeCharacters(text.subarray(0, shownBytes))}…` : text.toString();
  return isCutBefore ? `…${shown}` : shown;
}
