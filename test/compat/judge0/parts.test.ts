import { describe, expect, test } from 'vitest';
import { shellWords } from '../../../services/gateway/compat/judge0/shell-words.ts';
import { runIdOf, tokenOf } from '../../../services/gateway/compat/judge0/token.ts';
import { unzip } from '../../../services/gateway/compat/judge0/unzip.ts';
import { newId } from '../../../shared/ids.ts';
import { zipOf } from './zip.ts';

describe('a token', () => {
  test('is a UUID of version 4 that leads to its run and to no other', () => {
    const ids = Array.from({ length: 500 }, () => newId('run'));
    const tokens = ids.map(tokenOf);
    for (const token of tokens)
      expect(token).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(new Set(tokens).size).toBe(500);
    expect(tokens.map(runIdOf)).toEqual(ids);
  });

  test.each([
    '',
    'batch',
    '00000000-0000-7000-8000-000000000000',
    `run_${'0'.repeat(32)}`,
    `${'0'.repeat(36)}`,
  ])('%j is none', (text) => expect(runIdOf(text)).toBeUndefined());
});

describe('arguments', () => {
  test.each([
    ['', []],
    ['  a  b ', ['a', 'b']],
    [`a"b c"d 'e f'`, ['ab cd', 'e f']],
    [`"" ''`, ['', '']],
    [`a\\ b "\\"\\x" '\\'`, ['a b', '"\\x', '\\']],
    ['$HOME *', ['$HOME', '*']],
  ])('%j', (line, words) => expect(shellWords(line)).toEqual(words));

  test.each([`'a`, 'b "c', 'd\\'])('%j is not closed', (line) => expect(shellWords(line)).toBeUndefined());
});

describe('a zip', () => {
  const bounds = { files: 3, bytes: 100 };

  test('gives its files, without folders and links', () => {
    const archive = zipOf([
      { name: 'lib/', text: '', mode: 0o40755 },
      { name: './lib/a.txt', text: 'hello', stored: true },
      { name: 'run', text: 'echo '.repeat(10), mode: 0o100755 },
    ]);
    expect(unzip(archive, bounds)).toEqual([
      { path: 'lib/a.txt', data: Buffer.from('hello'), executable: false },
      { path: 'run', data: Buffer.from('echo '.repeat(10)), executable: true },
    ]);
    expect(unzip(zipOf([{ name: 'link', text: '/etc/passwd', mode: 0o120777 }]), bounds)).toEqual([]);
  });

  test.each([
    [
      'more bytes than are allowed, packed small',
      zipOf([{ name: 'a', text: 'x'.repeat(10_000) }]),
      'too much',
    ],
    ['in all', zipOf(['a', 'b'].map((name) => ({ name, text: 'x'.repeat(60), stored: true }))), 'too much'],
    ['too many files', zipOf(['a', 'b', 'c', 'd'].map((name) => ({ name, text: '' }))), 'more than 3'],
    ['a password', zipOf([{ name: 'a', text: 'x', flags: 1 }]), 'encrypted'],
    ['no zip', Buffer.from('hello'.repeat(20)), 'not a valid zip'],
    ['nothing', Buffer.alloc(0), 'not a valid zip'],
    ['cut', zipOf([{ name: 'a', text: 'x' }]).subarray(10), 'not a valid zip'],
  ])('is refused: %s', (_, archive, message) => {
    expect(() => unzip(archive, bounds)).toThrow(message);
  });

  test('no cut or changed byte of it leads anywhere else than to a fault or to files', () => {
    const archive = zipOf([{ name: 'a', text: 'hello' }]);
    for (let at = 0; at < archive.length; at += 1)
      for (const byte of [0, 0x7f, 0xff]) {
        const broken = Buffer.from(archive);
        broken[at] = byte;
        try {
          for (const { data } of unzip(broken, bounds)) expect(data.length).toBeLessThanOrEqual(100);
        } catch (error) {
          expect((error as Error).constructor.name).toBe('ZipFault');
        }
      }
  });
});
