import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareOutput } from '../../../services/worker/run/compare-output.ts';

const compare = (expected: string, ...written: (string | Buffer)[]) => {
  const comparison = compareOutput(Buffer.from(expected));
  for (const piece of written) comparison.accept(Buffer.from(piece));
  return comparison.end();
};

describe('the same', () => {
  test.each<[string, string, string]>([
    ['nothing', '', ''],
    ['one line', '42\n', '42\n'],
    ['no line feed at its end', '42\n', '42'],
    ['a line feed more', '42', '42\n'],
    ['empty lines at the end', 'a\nb\n', 'a\nb\n\n \t\n'],
    ['empty lines at the end of what is expected', 'a\n\n  \n\n', 'a'],
    ['white space at the ends of lines', 'a b\nc\n', 'a b  \t\nc\v\f \n'],
    ['the same in what is expected', 'a b \t\nc ', 'a b\nc'],
    ['line ends of Windows', 'a\nb\n', 'a\r\nb\r\n'],
    ['nothing but white space', '', ' \n\t\n'],
    ['an empty line in between', 'a\n\nb', 'a\n  \nb\n'],
  ])('%s', (_, expected, got) => {
    expect(compare(expected, got)).toBeUndefined();
    expect(compare(expected, ...got)).toBeUndefined();
  });
});

describe('another', () => {
  test.each<[string, string, string, { line: number; expected: string; got: string }]>([
    ['number', '42\n', '43\n', { line: 1, expected: '42', got: '43' }],
    ['line', 'a\nb\nc\n', 'a\nx\nc\n', { line: 2, expected: 'b', got: 'x' }],
    ['end of a line', 'a\nbc\n', 'a\nb\nc', { line: 2, expected: 'bc', got: 'b' }],
    ['line that is longer', 'a\n', 'a b\n', { line: 1, expected: 'a', got: 'a b' }],
    ['white space inside of a line', 'a b\n', 'a  b\n', { line: 1, expected: 'a b', got: 'a  b' }],
    ['white space at the beginning', 'a\n', ' a\n', { line: 1, expected: 'a', got: ' a' }],
    ['line too few', 'a\n\nb\n', 'a\n', { line: 3, expected: 'b', got: '' }],
    ['line too many', 'a\n', 'a\n\nb\n', { line: 3, expected: '', got: 'b' }],
    ['empty line in between', 'a\nb\n', 'a\n\nb\n', { line: 2, expected: 'b', got: '' }],
    ['output than none', '', 'x', { line: 1, expected: '', got: 'x' }],
    ['nothing where something is expected', 'x\n', '', { line: 1, expected: 'x', got: '' }],
    ['letter case', 'YES', 'Yes', { line: 1, expected: 'YES', got: 'Yes' }],
    ['last byte of a character', 'à', 'á', { line: 1, expected: 'à', got: 'á' }],
  ])('%s', (_, expected, got, difference) => {
    expect(compare(expected, got)).toEqual(difference);
    expect(compare(expected, ...Array.from(Buffer.from(got), (byte) => Buffer.from([byte])))).toEqual(
      difference,
    );
  });

  test('of a long line the part around it is shown', () => {
    const same = 'é'.repeat(5_000);
    const difference = compare(`${same}x${'y'.repeat(5_000)}`, `${same}z${'w'.repeat(100_000)}`);
    expect(difference?.expected).toMatch(/^…é{32}xy+…$/);
    expect(difference?.got).toMatch(/^…é{32}zw+…$/);
    for (const text of [difference?.expected, difference?.got])
      expect(Buffer.byteLength(text ?? '')).toBeLessThan(180);
  });

  test('one that is no text is shown as far as it is', () => {
    expect(compare('ok\n', Buffer.from([0x6f, 0xff, 0x0a]))).toEqual({
      line: 1,
      expected: 'ok',
      got: 'o\ufffd',
    });
  });
});

/** The same rule in a few words, over the whole text. */
const lines = (text: string) =>
  text
    .replace(/[ \t\r\v\f]+$/gm, '')
    .replace(/\n+$/, '')
    .split('\n');

test('it says what a comparison of the whole texts says, wherever the output is cut into pieces', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', '\t'), maxLength: 12 });
  fc.assert(
    fc.property(text, text, fc.nat(12), fc.nat(12), (expected, got, one, other) => {
      const [from, to] = [Math.min(one, other), Math.max(one, other)];
      const [should, is] = [lines(expected), lines(got)];
      const at = Array.from({ length: Math.max(should.length, is.length) }, (_, index) => index);
      const first = at.find((index) => (should[index] ?? '') !== (is[index] ?? ''));
      expect(compare(expected, got.slice(0, from), got.slice(from, to), got.slice(to))).toEqual(
        first === undefined
          ? undefined
          : { line: first + 1, expected: should[first] ?? '', got: is[first] ?? '' },
      );
    }),
    { numRuns: 2_000 },
  );
});
