import { isDeepStrictEqual } from 'node:util';
import { commandLines, type Language } from '../../../../shared/languages/index.ts';
import type { Tmpfs } from '../../engine/containers.ts';
import type { ImageInfo } from '../../engine/images.ts';
import type { StepSpec } from '../init/session.ts';
import { plain, programEnvironment } from '../program/environment.ts';
import { workFolder } from '../program/folders.ts';

/** A program that is started before its run comes, and held; see `hold` in init/session.ts. */
export type ExpectedProgram = UsualProgram & Pick<StepSpec, 'stdin' | 'stackBytes'>;

type UsualProgram = Pick<StepSpec, 'argv' | 'env'> & { workdir: string; until: string };

/**
 * What the next run of a language will start, told from the latest one: the sandboxes that are made ahead for it have that
 * program started already, and held.
 *
 * Such a sandbox may go to any tenant. So nothing of the program may be a tenant's: it is the language's own command line for a
 * file of its usual name, with the image's and the language's environment. Where the latest run had arguments, variables or
 * file names of its own, there is none.
 */
export function createExpectations() {
  /** By the language's name, whether it had a stdin; `null`: it was not the usual program. */
  const latest = new Map<string, boolean | null>();
  return {
    learn(
      language: Language,
      image: Pick<ImageInfo, 'env'>,
      folders: Pick<Tmpfs, 'path'>[],
      { argv, env, stdin, tty }: Pick<StepSpec, 'argv' | 'env' | 'stdin' | 'tty'>,
      userName?: string,
    ): void {
      const usual = usualProgram(language, image, folders, userName);
      if (usual === undefined) return;
      const isUsual = tty === undefined && isDeepStrictEqual({ ...usual, argv, env }, usual);
      latest.set(language.name, isUsual ? stdin : null);
    },

    /** `undefined`: nothing is to be started ahead. Of a language that was not seen yet: the usual program, without a stdin. */
    expect(
      language: Language,
      image: Pick<ImageInfo, 'env'>,
      folders: Pick<Tmpfs, 'path'>[],
      userName?: string,
    ): ExpectedProgram | undefined {
      const stdin = latest.has(language.name) ? latest.get(language.name) : false;
      const usual = usualProgram(language, image, folders, userName);
      return usual && typeof stdin === 'boolean' ? { ...usual, stdin } : undefined;
    },
  };
}

/** What a run that gives its code and nothing else starts; `undefined`: it must not be held. */
function usualProgram(
  language: Language,
  image: Pick<ImageInfo, 'env'>,
  folders: Pick<Tmpfs, 'path'>[],
  userName: string | undefined,
): UsualProgram | undefined {
  const { hold, fileName, env } = language;
  if (hold === undefined) return undefined;
  return {
    argv: commandLines(language, { entry: fileName, files: [fileName] }).run,
    env: programEnvironment(plain, image, folders, env, userName),
    workdir: workFolder,
    until: hold === '{file}' ? fileName : hold,
  };
}
