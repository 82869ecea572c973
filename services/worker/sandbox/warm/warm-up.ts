import { familiarName } from '../../../../shared/images.ts';
import { type Language, listLanguages } from '../../../../shared/languages/index.ts';
import type { ImageInfo } from '../../engine/images.ts';
import { type InitSession, StartFailed } from '../init/session.ts';
import { plain, programEnvironment } from '../program/environment.ts';
import type { ExpectedProgram } from './expected-program.ts';

/** One that takes longer is ended, and no harm done: a run may have come that waits for the sandbox. */
const wallMs = 500;
const outputBytes = 4_096;

const byImage = new Map<string, Language[]>();
for (const language of listLanguages()) {
  const image = familiarName(language.image);
  if (language.warmUp !== undefined) byImage.set(image, [...(byImage.get(image) ?? []), language]);
}

/**
 * The first program of a sandbox takes longer than a second one: its init has never forked, and every path is looked up for
 * the first time in a root filesystem that was made a moment ago. So a sandbox that is made ahead runs what does nothing: a
 * program of our own (the init, which ends at once where it is not PID 1), or in a language's image its interpreter. Measured
 * on two cores, the p50 of 96 runs from request to answer, without and with it, in turn:
 *
 *   sh in busybox 6.3 → 5.6 ms   hello-world 5.6 → 5.0   bash 7.2 → 6.6   python 17.2 → 15.7
 *
 * Where it is known what the next run will start, that is started and held instead, which has the same effects.
 *
 * Nothing comes of it but caches of the kernel: a step leaves no process, and these programs write no file. The pool leaves it out
 * where a run waits already.
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
    // Any image may be called by that name: one without the interpreter is as good as ever.
    await session.exec(step, () => {}).ended.catch(unlessNotStarted);
  }
}

function unlessNotStarted(error: unknown): void {
  if (!(error instanceof StartFailed)) throw error;
}
