import { matchesGlob } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { globFault, parseGlob, parseGlobs } from '../../shared/globs.ts';

test.each<[glob: string, matches: string[], others: string[]]>([
  ['out/**', ['out/a', 'out/a/b', 'out/.c'], ['a/out/b', 'output/a', 'out']],
  ['**', ['a', 'a/b', '.a'], []],
  ['**/*.txt', ['a.txt', 'b/c/a.txt', '.txt'], ['a.txt/b', 'a.text']],
  ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b'], ['ab', 'a/x/c', 'a/bb']],
  ['*', ['a', '.a', 'a b'], ['a/b']],
  ['?.log', ['a.log', 'ü.log', '😀.log'], ['.log', 'ab.log']],
  ['[a-c]x', ['ax', 'cx'], ['dx', 'x', '[a-c]x']],
  ['[!a-c]x', ['dx'], ['ax', '/x']],
  ['[]x]', [']', 'x'], ['y']],
  ['[a', ['[a'], ['a']],
  ['\\*.c', ['*.c'], ['a.c']],
  ['a*b*c', ['abc', 'aXbYc', 'abbcc'], ['acb', 'ab']],
  ['report.pdf', ['report.pdf'], ['reportXpdf', 'a/report.pdf']],
])('%s', (glob, matches, others) => {
  expect(globFault(glob)).toBeUndefined();
  const { test: matchesIt } = parseGlob(glob);
  expect(matches.filter((path) => !matchesIt(path))).toEqual([]);
  expect(others.filter((path) => matchesIt(path))).toEqual([]);
});

test('several globs are one question', () => {
  const all = parseGlobs(['a', 'b/*']);
  expect(['a', 'b/c', 'c'].map((path) => all.test(path))).toEqual([true, true, false]);
  expect(parseGlobs([]).test('a')).toBe(false);
});

test('agrees with Node’s own on what both know', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 });
  const piece = fc.oneof(
    fc.constant('**'),
    fc
      .string({ unit: fc.constantFrom('a', 'b', 'c', '?', '[ab]', '[!b]', '*'), minLength: 1, maxLength: 4 })
      .filter((text) => !text.includes('**')),
  );
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const glob = fc.array(piece, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  fc.assert(
    fc.property(glob, path, (pattern, text) => {
      expect(parseGlob(pattern).test(text)).toBe(matchesGlob(text, pattern));
    }),
    { numRuns: 2_000 },
  );
});

test('no pattern takes for ever', () => {
  // In processor time: seconds where a machine is slow, ages where a pattern is tried in every way.
  const began = process.cpuUsage().user;
  expect(parseGlob(`${'*a'.repeat(500)}b`).test('a'.repeat(255))).toBe(false);
  expect(parseGlob(`${'**/a/'.repeat(200)}b`).test(`${'a/'.repeat(500)}a`)).toBe(false);
  expect((process.cpuUsage().user - began) / 1_000).toBeLessThan(30_000);
});
