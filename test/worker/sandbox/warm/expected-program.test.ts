import { describe, expect, test } from 'vitest';
import { createExpectations } from '../../../../services/worker/sandbox/warm/expected-program.ts';
import { findLanguage, type Language, listLanguages } from '../../../../shared/languages/index.ts';

const image = { env: ['PATH=/usr/local/bin:/usr/bin', 'LANG=C.UTF-8'] };
const folders = [{ path: '/tmp' }, { path: '/work' }];

function language(name: string): Language {
  const found = findLanguage(name);
  if ('fault' in found) throw new Error(name);
  return found.language;
}

describe('what is expected of the next run', () => {
  const python = language('python');
  const { expect: foresee, learn } = createExpectations();
  const next = () => foresee(python, image, folders);
  const usual = next();
  const ran = (changes: Partial<Parameters<typeof learn>[3]> = {}) => {
    const { argv = [], env = {} } = usual ?? {};
    learn(python, image, folders, { argv, env, stdin: false, ...changes });
    return next();
  };

  test('is the program of its language, as a run starts it that gives its code alone', () => {
    expect(usual).toMatchObject({
      argv: ['python3', 'main.py'],
      stdin: false,
      workdir: '/work',
      until: 'main.py',
    });
    expect(usual?.env).toMatchObject({ PATH: '/usr/local/bin:/usr/bin', LANG: 'C.UTF-8', HOME: '/work' });
    expect(foresee(language('bash'), image, folders)).toMatchObject({ until: '/dev/tty' });
  });

  test('follows whether the latest had a stdin', () => {
    expect(ran({ stdin: true })).toEqual({ ...usual, stdin: true });
    expect(ran()).toEqual(usual);
  });

  test.each([
    ['arguments', { argv: ['python3', 'main.py', '--secret'] }],
    ['a file', { argv: ['python3', 'secret.py'] }],
    ['a terminal', { tty: { cols: 80, rows: 24 } }],
    ['one pipe', { mergeStderr: true }],
    ['variables', { env: { ...usual?.env, SECRET: '1' } }],
  ])('is nothing after one with %s of its own', (_, changes) => {
    expect(ran(changes)).toBeUndefined();
    expect(ran()).toEqual(usual);
  });

  test('depends on no limit, since those of the next run are not known', () => {
    for (const one of listLanguages().filter(({ hold }) => hold !== undefined))
      expect(
        [...(one.compile ?? []), ...one.run, ...Object.values(one.env)].filter((word) =>
          /\{(memory|stack)/.test(word),
        ),
      ).toEqual([]);
  });

  test('is nothing where the language does not say how far its program may go', () => {
    expect(foresee(language('javascript'), image, folders)).toBeUndefined();
  });
});
