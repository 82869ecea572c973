import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { knownImages, readDefinition } from '../../../infra/images/definition.ts';
import { familiarNames } from '../../../infra/images/load.ts';
import { parseImageReference } from '../../../shared/images.ts';
import {
  commandLines,
  findLanguage,
  isOnlyBuilt,
  languageEnv,
  languageOfFile,
  listLanguages,
} from '../../../shared/languages/index.ts';
import { withSizes } from '../../../shared/languages/sizes.ts';

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
      compile: ['g++', '-O2', '-std=gnu++20', '-o', '/tmp/program', 'main.cpp', 'lib/a.cpp'],
      run: ['/tmp/program'],
    });
    const js = named('js');
    const node = (memoryBytes: number, stackBytes?: number) =>
      js && commandLines(js, { entry: '{memoryMiB}.js', files: [] }, { memoryBytes, stackBytes }).run;
    expect(node(2 ** 29)).toEqual([
      'node',
      '--max-old-space-size=512',
      '--stack-size=22937',
      '{memoryMiB}.js',
    ]);
    expect(node(2 ** 29, 2 ** 27)).toContain('--stack-size=91750');
    // Java takes no more than a GiB; nothing is 0.
    expect(withSizes('-Xss{stackKiB}k', { memoryBytes: 2 ** 36 })).toBe('-Xss1048576k');
    expect(withSizes('{stackMiB}{memoryGiB}', { memoryBytes: 2 ** 23 })).toBe('1{memoryGiB}');
    const go = named('go');
    expect(go && languageEnv(go, { memoryBytes: 10 ** 9 }).GOMEMLIMIT).toBe('858MiB');
    const java = named('java');
    if (java === undefined) throw new Error('no java');
    const mainClass = (entry: string) => commandLines(java, { entry, files: [] }).run.at(-1);
    expect(mainClass('Main.java')).toBe('Main');
    expect(mainClass('src/Main.java')).toBe('Main');
    expect(mainClass('app/Main.java')).toBe('app.Main');
    expect(mainClass('src/main/java/org/app/Main.java')).toBe('org.app.Main');
  });

  it('have other commands for a project of the language’s own tool', () => {
    const go = named('go');
    if (go === undefined) throw new Error('no go');
    const compile = (entry: string, ...files: string[]) => commandLines(go, { entry, files }).compile;
    expect(compile('main.go', 'main.go', 'b.go', 'x.txt')?.slice(-2)).toEqual(['main.go', 'b.go']);
    expect(compile('cmd/main.go', 'go.mod', 'cmd/main.go', 'b.go')?.at(-1)).toBe('./cmd');
    expect(compile('main.go', 'go.mod', 'main.go')?.at(-1)).toBe('./.');
  });

  it('never let a file’s name be taken for an option', () => {
    for (const one of listLanguages()) {
      for (const entry of ['-o', '@options', '+x']) {
        const { compile, run } = commandLines(one, { entry, files: [entry] });
        expect([...(compile ?? []), ...run].filter((word) => word === entry && word !== '-o')).toEqual([]);
      }
    }
  });

  it('have an image that can be built here', () => {
    const buildable = knownImages().map(readDefinition).flatMap(familiarNames);
    for (const { image } of listLanguages()) expect(buildable).toContain(image);
  });

  it('say how their image, or one like it, is built', () => {
    for (const { image, builtAs } of listLanguages())
      expect(familiarNames(readDefinition(builtAs))).toContain(image);
  });

  it('whose image no public registry has are named where the others’ are said to be official', () => {
    const page = readFileSync(new URL('../../../infra/docs/CODE.md', import.meta.url), 'utf8');
    const built = listLanguages()
      .filter(isOnlyBuilt)
      .map(({ builtAs }) => builtAs);
    expect(page).toContain(`\`npm run images -- ${built.join(' ')}\``);
  });

  it('are found by their major version, and with its minor one', () => {
    for (const { name, version } of listLanguages()) {
      const [major, minor] = version.split('.');
      expect(named(`${name}@${major}.${minor}`)?.name).toBe(name);
      expect(named(`${name}@${major}`)?.name).toBe(name);
    }
  });

  it('never give a placeholder of a file’s name another meaning', () => {
    fc.assert(
      fc.property(fc.constantFrom('{others}', '{class}', '-o', '$(reboot)', 'a b.py'), (entry) => {
        for (const one of listLanguages()) {
          const { compile, run } = commandLines(one, { entry, files: [entry] });
          expect([...(compile ?? []), ...run].filter((word) => word === '{file}')).toEqual([]);
        }
      }),
    );
  });
});
