import { describe, expect, it } from 'vitest';
import { howToBuild, howToGet, withHowToBuild } from '../../../services/worker/images/built-images.ts';
import { isOnlyBuilt, listLanguages } from '../../../shared/languages/index.ts';
import { Problem, type ProblemCode } from '../../../shared/problems.ts';

const failed = (code: ProblemCode) => new Problem(code, 'As the registry has it.');
const told = (reference: string, code: ProblemCode) => {
  const { code: said, message } = withHowToBuild(failed(code), reference) as Problem;
  return { code: said, message };
};
const built = listLanguages().filter(isOnlyBuilt);
const official = listLanguages().filter((language) => !isOnlyBuilt(language));

describe('a language’s image that no public registry has', () => {
  it.each(built)('is to be built: $name', ({ image, builtAs }) => {
    const { code, message } = told(image, 'image_not_found');
    expect(code).toBe('image_not_found');
    expect(message).toContain(`\`npm run images -- ${builtAs}\``);
    expect(message).not.toContain('As the registry has it.');
    expect(howToBuild(image)).toBe(message);
    expect(howToGet(image)).toBe(message);
  });

  it('is known by its whole name', () => {
    expect(told('docker.io/library/runlet-lua:5.4', 'image_not_found').message).toContain('images -- lua');
  });

  it('is to be built also where the registry wants other credentials for it', () => {
    const { code, message } = told('runlet-lua:5.4', 'registry_auth');
    expect([code, message]).toEqual(['image_not_found', expect.stringContaining('images -- lua')]);
  });

  it('may be in a mirror that cannot be reached', () => {
    const { code, message } = told('runlet-lua:5.4', 'registry_unavailable');
    expect(code).toBe('registry_unavailable');
    expect(message).toMatch(/^As the registry has it\. .*npm run images -- lua/);
  });

  it.each<ProblemCode>(['pull_failed', 'platform_mismatch', 'engine_unavailable'])(
    'fails like any other: %s',
    (code) => {
      const error = failed(code);
      expect(withHowToBuild(error, 'runlet-lua:5.4')).toBe(error);
    },
  );
});

describe('a language’s official image', () => {
  it.each(official)(
    'is told of as the registry has it, and how one like it is built: $name',
    ({ image, builtAs }) => {
      for (const code of [
        'image_not_found',
        'registry_auth',
        'registry_unavailable',
        'pull_timeout',
      ] as const) {
        const { code: said, message } = told(image, code);
        expect(said).toBe(code);
        expect(message).toMatch(/^As the registry has it\. Where there is no registry/);
        expect(message).toContain(`\`npm run images -- ${builtAs}\` on the worker’s machine`);
      }
      expect(howToGet(image)).toMatch(/^Pull it first, or use pull "missing"\. .*npm run images/);
    },
  );
});

describe('any other image', () => {
  it.each(['python:2', 'runlet-lua:5.3', 'mirror.example/runlet-lua:5.4', 'lua'])(
    'is told of as the registry has it: %s',
    (reference) => {
      const error = failed('image_not_found');
      expect(withHowToBuild(error, reference)).toBe(error);
      expect(howToBuild(reference)).toBeUndefined();
      expect(howToGet(reference)).toBe('Pull it first, or use pull "missing".');
    },
  );

  it('fails for a reason of ours as it did', () => {
    const error = new Error('ours');
    expect(withHowToBuild(error, 'runlet-lua:5.4')).toBe(error);
  });
});
