import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodingOf, incompleteTail, wholeCharacters } from '../../shared/utf8.ts';

test('incompleteTail', () => {
  const euro = Buffer.from('€');
  const smile = Buffer.from('😀');
  expect(incompleteTail(Buffer.from('abc'))).toBe(0);
  expect(incompleteTail(euro)).toBe(0);
  expect(incompleteTail(euro.subarray(0, 2))).toBe(2);
  expect(incompleteTail(smile.subarray(0, 3))).toBe(3);
  expect(incompleteTail(smile.subarray(0, 1))).toBe(1);
  expect(incompleteTail(Buffer.from([0xff]))).toBe(0);
  expect(incompleteTail(Buffer.from([0x80, 0x80, 0x80]))).toBe(0);
});

test.each([
  ['an overlong form', [0xe0, 0x80]],
  ['half of a surrogate pair', [0xed, 0xa0]],
  ['what lies past the last character', [0xf4, 0x90]],
  ['an overlong form of four', [0xf0, 0x80, 0x80]],
  ['bytes that begin nothing', [0xc0]],
])('%s is no beginning of a character: nothing that comes makes it one', (_, bytes) => {
  expect(incompleteTail(Buffer.from(bytes))).toBe(0);
});

test('a tail is incomplete exactly where something that could come makes it text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 3 }), (bytes) => {
      const tail = Buffer.from(bytes);
      const completed = [
        [0x80],
        [0xbf],
        [0x80, 0x80],
        [0xbf, 0xbf],
        [0x80, 0x80, 0x80],
        [0xbf, 0xbf, 0xbf],
        [0x90, 0x80],
        [0xa0, 0x80],
        [0x90, 0x80, 0x80],
      ].some((more) => isUtf8(Buffer.concat([tail, Buffer.from(more)])));
      if (isUtf8(wholeCharacters(tail))) expect(incompleteTail(tail) > 0).toBe(!isUtf8(tail) && completed);
    }),
    { numRuns: 5_000 },
  );
});

test('text is text however it is cut, and base64 where one of several is none', () => {
  const text = Buffer.from('žluť 😀');
  for (let at = 0; at <= text.length; at += 1)
    expect(encodingOf(wholeCharacters(text.subarray(0, at)))).toBe('utf8');
  expect(encodingOf(text, Buffer.from([0xff]))).toBe('base64');
});
