import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseImageReference } from '../../shared/images.ts';
import { commandLines, findLanguage, languageOfFile, listLanguages } from '../../shared/languages/index.ts';

const named = (spec: string) => {
  const found = findLanguage(spec);
  return 'language' in found && !('fault' in found) ? found.language : undefined;
};

describe('languages', () => {
  it('are all there, each with an image that can be named', () => {
    const names = listLanguages().map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        ...[
          'python',
          'javascript',
          'typescript',
          'bash',
          'c',
          'cpp',
          'go',
          'rust',
          'java',
          'ruby',
          'php',
          'perl',
          'lua',
        ],
      ]),
    );
    for (const one of listLanguages()) {
      expect(parseImageReference(one.image), one.name).toBeDefined();
      expect(languageOfFile(one.fileName)?.name, one.fileName).toBe(one.name);
    }
  });

  it('are found by name, alias and version range', () => {
    expect(named('python')?.name).toBe('python');
    expect(named('C++')?.name).toBe('cpp');
    expect(named('py@3.11')?.name).toBe('python');
    expect(named('python@>=3.10 <4')?.name).toBe('python');
    expect(named('python@^3')?.name).toBe('python');
    expect(findLanguage('python@2')).toMatchObject({ fault: 'version', language: { version: '3.11.2' } });
    expect(findLanguage('python@')).toMatchObject({ language: { name: 'python' } });
    expect(findLanguage('python@nonsense')).toMatchObject({ fault: 'version' });
    expect(findLanguage('brainfuck')).toEqual({ fault: 'unknown' });
    expect(findLanguage('__proto__')).toEqual({ fault: 'unknown' });
    expect(languageOfFile('Main.JAVA')?.name).toBe('java');
    expect(languageOfFile('Makefile')).toBeUndefined();
  });

  it('give command lines in which only whole placeholders are replaced', () => {
    const cpp = named('cpp');
    if (cpp === undefined) throw new Error('no cpp');
    expect(
      commandLines(cpp, { entry: 'main.cpp', files: ['lib/a.cpp', 'a.h', 'main.cpp', 'data.txt'] }),
    ).toEqual({
      compile: ['g++', '-O2', '-std=gnu++20', '-o', '.runlet-program', 'main.cpp', 'lib/a.cpp'],
      run: ['./.runlet-program'],
    });
    const java = named('java');
    if (java === undefined) throw new Error('no java');
    expect(commandLines(java, { entry: 'src/Main.java', files: [] }).run.at(-1)).toBe('Main');
  });

  it('never give a placeholder of a file’s name another meaning', () => {
    fc.assert(
      fc.property(fc.constantFrom('{sources}', '{class}', '-o', '$(reboot)', 'a b.py'), (entry) => {
        for (const one of listLanguages()) {
          const { compile, run } = commandLines(one, { entry, files: [entry] });
          expect([...(compile ?? []), ...run].filter((word) => word === '{file}')).toEqual([]);
        }
      }),
    );
  });
});
