import { familiarName } from '../../../../shared/images.ts';
import { type Language, listLanguages } from '../../../../shared/languages/index.ts';
import type { ImageInfo } from '../../engine/images.ts';
import { type InitSession, StartFailed } from '../init/session.ts';
import { plain, programEnvironment } from '../program/environment.ts';
import type { ExpectedProgram } from './expected-program.ts';

/** If it takes longer it is ended, which does no harm. A run that came meanwhile may be waiting for the sandbox. */
const wallMs = 500;
const outputBytes = 4_096;

const byImage = new Map<string, Language[]>();
for (const language of listLanguages()) {
  const image = familiarName(language.image);
  if (language.warmUp !== undefined) byImage.set(image, [...(byImage.get(image) ?? []), language]);
}

/**
 * The first program of a sandbox takes longer than the second: the init has never forked, and every path is looked up
 * for the first time in a new root filesystem. So a sandbox that is made ahead first runs a program that does nothing:
 * our own program (the init, which ends at once if it is not PID 1), or in a language's image its interpreter. Measured
 * on two cores, the p50 of 96 runs from request to answer, without and with it, in turn:
 *
 *   sh in busybox 6.3 → 5.6 ms   hello-world 5.6 → 5.0   bash 7.2 → 6.6   python 17.2 → 15.7
 *
 * If it is known what the next run will start, that program is started and held instead, which has the same effect.
 *
 * It changes nothing but caches of the kernel: a step leaves no process, and these programs write no file. The pool
 * leaves it out if a run waits already.
 * Rejects when the sandbox is lost.
 */
export async function warmUp(
  session: Pick<InitSession, 'exec' | 'hold' | 'prepare'>,
  initPath: string,
  image: Pick<ImageInfo, 'env'>,
  reference: string,
  expected?: ExpectedProgram,
): Promise<void> {
  if (expected !== undefined) {
    await session.prepare(expected.workdir, []);
    if (await session.hold(expected, expected.until)) return;
  }
  const languages = byImage.get(reference) ?? [];
  const programs =
    languages.length > 0
      ? languages.map(({ warmUp: argv = [], env }) => ({ argv, env }))
      : [{ argv: [initPath], env: {} }];
  for (const { argv, env: ofLanguage } of programs) {
    const env = programEnvironment(plain, image, [], ofLanguage);
    const step = { argv, env, stdin: false, wallMs, cpuMs: null, outputBytes };
    // Any image may have that name. One without the interpreter can still be used.
    await session.exec(step, () => {}).ended.catch(unlessNotStarted);
  }
}

function unlessNotStarted(error: unknown): void {
  if (!(error instanceof StartFailed)) throw error;
}
