import { isUtf8 } from 'node:buffer';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../errors.ts';
import { readOf } from '../files/collect.ts';
import { encodeStdin, type Stdin } from '../run/stdin.ts';

/** A test as the request has it, and its name. */
export type Test = { name: string; input: Stdin & { expectedStdout: string } };

type Pair = { name: string; input: string; expected: string };

/** The server takes no more inputs than this in one run. */
const maxTests = 1000;

/**
 * How the two files of a test are called. The first rule that has a name for the input decides, and of its names for the output the
 * first that is there.
 *
 *   1.in      1.out, 1.ans or 1.a    most
 *   input1    output1                both with or without .txt
 *   01        01.a                   Polygon
 */
const rules: { input: RegExp; outputs: (match: RegExpExecArray) => string[]; isSure: boolean }[] = [
  {
    input: /^(.+)\.in$/,
    outputs: ([, stem]) => ['out', 'ans', 'a'].map((end) => `${stem}.${end}`),
    isSure: true,
  },
  { input: /^input(.*?)(\.txt)?$/, outputs: ([, stem, end = '']) => [`output${stem}${end}`], isSure: true },
  { input: /^[^.]+$/, outputs: ([name]) => [`${name}.a`], isSure: false },
];

/** Throws a UsageError if there are none, or if one has no expected output: it would be accepted whatever is written. */
export function readTests(folder: string, note: (text: string) => void): Test[] {
  const pairs = pairsIn(namesIn(folder), folder, note);
  if (pairs.length === 0)
    throw new UsageError(
      `There are no tests in ${folder}. They are pairs of files: 1.in and 1.out (or 1.ans), 01 and 01.a, input1.txt and output1.txt.`,
    );
  if (pairs.length > maxTests)
    throw new UsageError(
      `${folder} has ${pairs.length} tests, and a run takes ${maxTests}: put them into several folders.`,
    );
  return pairs.map(({ name, input, expected }) => {
    const text = readOf(join(folder, expected));
    if (!isUtf8(text))
      throw new UsageError(`${join(folder, expected)} is not UTF-8: outputs are compared as text.`);
    const stdin = encodeStdin(readOf(join(folder, input)));
    return { name, input: { ...stdin, expectedStdout: text.toString('utf8') } };
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTDIR') throw new UsageError(`${folder} is a file: name the folder that has the tests.`);
    throw new UsageError(
      `The tests in ${folder} cannot be read: ${code === 'ENOENT' ? 'there is no such folder' : code}.`,
    );
  }
}

/** In the order of their numbers: 2 comes before 10. */
function pairsIn(names: readonly string[], folder: string, note: (text: string) => void): Pair[] {
  const there = new Set(names);
  const pairs = names.flatMap((name) => pairOf(name, there, folder) ?? []);
  const used = new Set(pairs.flatMap(({ input, expected }) => [input, expected]));
  for (const name of names)
    if (!used.has(name) && /\.(out|ans|a)$|^output/.test(name) && !isSpare(name, used))
      note(`${join(folder, name)} is left out: there is no input of its name.`);
  const order = new Intl.Collator('en', { numeric: true });
  return pairs.sort((one, other) => order.compare(one.name, other.name));
}

/** `undefined`: it is not the input of a test. */
function pairOf(name: string, there: ReadonlySet<string>, folder: string): Pair | undefined {
  for (const { input, outputs, isSure } of rules) {
    const match = input.exec(name);
    if (match === null) continue;
    const wanted = outputs(match);
    const expected = wanted.find((one) => there.has(one));
    if (expected !== undefined) return { name: name.replace(/\.(in|txt)$/, ''), input: name, expected };
    if (isSure)
      throw new UsageError(
        `${join(folder, name)} has no expected output beside it: ${wanted.join(', or ')}.`,
      );
  }
  return undefined;
}

/** Another output of a test that has one already, such as 1.ans beside 1.out. */
const isSpare = (name: string, used: ReadonlySet<string>) => used.has(name.replace(/\.(out|ans|a)$/, '.in'));
