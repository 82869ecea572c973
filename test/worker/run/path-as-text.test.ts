import { expect, test } from 'vitest';
import { pathAsText } from '../../../services/worker/run/path-as-text.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');

test.each([
  ['text', Buffer.from('out/žluť 😀.txt'), 'out/žluť 😀.txt'],
  ['a byte of another character set', latin1('out/caf\xe9.txt'), 'out/caf\\xe9.txt'],
  ['the beginning of a character before another', latin1('\xc5\xc5\xbe'), '\\xc5ž'],
  ['the beginning of a character at the end', latin1('a\xf0\x9f\x98'), 'a\\xf0\\x9f\\x98'],
  ['half of a surrogate pair', latin1('\xed\xa0\x80'), '\\xed\\xa0\\x80'],
  [
    'what would move a cursor',
    Buffer.from('a\n\x1b[31m\u009b\u202e'),
    'a\\x0a\\x1b[31m\\xc2\\x9b\\xe2\\x80\\xae',
  ],
  ['a backslash', Buffer.from('a\\xe9'), 'a\\\\xe9'],
  ['the replacement character itself', Buffer.from('\ufffd'), '\ufffd'],
])('%s', (_, bytes, expected) => {
  expect(pathAsText(bytes)).toBe(expected);
});

test('a long one is cut between characters', () => {
  expect(pathAsText(Buffer.from('😀'.repeat(1000)))).toBe(`${'😀'.repeat(200)}…`);
  expect(pathAsText(Buffer.from('😀'.repeat(200)))).toBe('😀'.repeat(200));
});
