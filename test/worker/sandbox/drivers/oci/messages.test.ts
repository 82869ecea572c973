import { expect, test } from 'vitest';
import {
  createMessageReader,
  messageOf,
} from '../../../../../services/worker/sandbox/drivers/oci/messages.ts';

test.each([
  { words: ['run', '', 'äöü', '.'] },
  { words: [Buffer.from('first'), 'then', 'text', Buffer.from(''), Buffer.from('last')] },
  { words: ['', Buffer.from('a\nb'), ''] },
  { words: [''] },
])('what is said in $words arrives word by word, in whichever pieces', ({ words }) => {
  const message = messageOf(words);
  for (const size of [1, 3, message.length]) {
    const heard: string[][] = [];
    const read = createMessageReader((one) => heard.push(one));
    for (let at = 0; at < message.length; at += size) read(message.subarray(at, at + size));
    expect(heard).toEqual([words.map(String)]);
  }
});

test('bytes that are no text arrive as they are', () => {
  const bytes = Buffer.from([0xff, 0xfe, 0x80]);
  expect(messageOf(['a', bytes, 'b']).subarray(4)).toEqual(
    Buffer.from([0x61, 0, 0xff, 0xfe, 0x80, 0, 0x62, 0]),
  );
});

test('a word with a NUL, and what is longer than the launcher takes, is refused', () => {
  expect(() => messageOf(['a', 'b\0c'])).toThrow('a NUL');
  expect(() => messageOf([Buffer.from('b\0c')])).toThrow('a NUL');
  expect(() => messageOf(['x'.repeat(1024 * 1024)])).toThrow('1048577 bytes');
});
