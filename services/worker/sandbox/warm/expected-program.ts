import { isDeepStrictEqual } from 'node:util';
import { commandLines, type Language } from '../../../../shared/languages/index.ts';
import type { Tmpfs } from '../../engine/containers.ts';
import type { ImageInfo } from '../../engine/images.ts';
import type { StepSpec } from '../init/session.ts';
import { plain, programEnvironment } from '../program/environment.ts';
import { workFolder } from '../program/folders.ts';

/** A program that is started and held before its run comes; see `hold` in init/session.ts. */
export type ExpectedProgram = UsualProgram & Pick<StepSpec, 'stdin' | 'stackBytes'>;

type UsualProgram = Pick<StepSpec, 'argv' | 'env'> & { workdir: string; until: string };

/**
 * Predicts what the next run of a language will start, from the latest run. The sandboxes that are made ahead for this
 * language start that program already and hold it.
 *
 * Such a sandbox may go to any tenant, so the program must contain nothing of a tenant's. It is the language's own
 * command line for a file of its usual name, with the image's and the language's environment. If the latest run had its
 * own arguments, variables or file names, nothing is predicted.
 */
export function createExpectations() {
  /** By the language's name: whether the latest run had a stdin. `null`: it was not the usual program. */
  const latest = new Map<string, boolean | null>();
  return {
    learn(
      language: Language,
      image: Pick<ImageInfo, 'env'>,
      folders: Pick<Tmpfs, 'path'>[],
      {
        argv,
        env,
        stdin,
        tty,
        mergeStderr,
      }: Pick<StepSpec, 'argv' | 'env' | 'stdin' | 'tty' | 'mergeStderr'>,
      userName?: string,
    ): void {
      const usual = usualProgram(language, image, folders, userName);
      if (usual === undefined) return;
      const isPlain = tty === undefined && !mergeStderr;
      const isUsual = isPlain && isDeepStrictEqual({ ...usual, argv, env }, usual);
      latest.set(language.name, isUsual ? stdin : null);
    },

    /**
     * `undefined`: nothing is started ahead. For a language without a run so far: the usual program, without a stdin.
     */
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

/** What a run starts that gives only its code. `undefined`: it must not be held. */
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
