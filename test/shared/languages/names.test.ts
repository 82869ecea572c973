import { expect, it } from 'vitest';
import { languageOfFile, listLanguages } from '../../../shared/languages/index.ts';
import { extensionOf, languageNames } from '../../../shared/languages/names.ts';

it('the names are those of the languages', () => {
  const names = listLanguages().map(({ name, aliases, extensions }) => ({ name, aliases, extensions }));
  expect(languageNames()).toEqual(names);
});

it('a file’s extension is read alike', () => {
  for (const { name, extensions } of languageNames())
    for (const one of extensions) {
      expect(extensionOf(`src/main.${one.toUpperCase()}`)).toBe(one);
      expect(languageOfFile(`main.${one}`)?.name).toBe(name);
    }
});
