import type { Step } from '../../../../shared/contracts/run.ts';
import type { Language } from '../../../../shared/languages/index.ts';
import type { Settings } from './settings.ts';

/** What of a submission depends on what a run can do. */

const KB = 1024;
/** What Judge0 gives a compiler, whatever the submission's own limit is. */
const compilerKb = 512_000;

/**
 * The memory of the run, in bytes. A compiler has the same limit as the program that it makes, so that of a compiled language is not below
 * what compilers need.
 *
 * @param asked whether the submission names it: a language that needs more than Judge0's default has its own default otherwise
 * @param most the operator's maximum
 */
export function memoryBytes(
  language: Language | undefined,
  { memory_limit }: Settings,
  asked: boolean,
  most: number,
): number {
  const compiled = language === undefined || language.compile !== undefined;
  const needed = compiled ? compilerKb * KB : asked ? 0 : (language.limits.memoryBytes ?? 0);
  return Math.min(Math.max(memory_limit * KB, needed), most);
}

/** Both streams of a step in the order in which they came, where that is known. */
export const bothStreams = (step: Step): Buffer =>
  step.output === undefined
    ? Buffer.concat([
        Buffer.from(step.stdout, step.stdoutEncoding),
        Buffer.from(step.stderr, step.stderrEncoding),
      ])
    : Buffer.from(step.output, step.outputEncoding);
