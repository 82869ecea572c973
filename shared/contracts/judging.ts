import { z } from 'zod';

/** What a request asks of a judge, and what a judge says of a step. */

export const verdicts = [
  'accepted',
  'wrong_answer',
  'time_limit',
  'memory_limit',
  'output_limit',
  'runtime_error',
  'compile_error',
  'skipped',
] as const;
export type Verdict = (typeof verdicts)[number];

export const expectedStdout = z.string().optional().meta({
  description:
    'What the program must write to stdout with this input; `steps[].verdict` says whether it did. White space at the ends of lines, and empty lines at the end of the whole, make no difference. The program never sees it: it does not enter the sandbox.',
});

export const stopOnFailure = z.boolean().default(false).meta({
  description:
    'The first input whose verdict is not `accepted` is the last that is run; later ones are `skipped`. Inputs without `expectedStdout` are judged, too, then: they are accepted if the program ends with exit code 0, within its limits.',
});

export const difference = z
  .object({
    line: z.int().meta({ description: 'Which line, from 1 on.' }),
    expected: z.string(),
    got: z.string(),
  })
  .nullable()
  .meta({
    description:
      'Of a `wrong_answer`: the first line that differs, as it should be and as it is; empty where there is no such line. Of a long line some 160 bytes around the first that differs, with … where something is left out.',
  });
export type Difference = NonNullable<z.infer<typeof difference>>;

export const verdict = z.enum(verdicts).nullable().meta({
  description:
    'Of a run with an `inputs[].expectedStdout`, or with `stopOnFailure`. `accepted`: exit code 0, and the expected output where one was given; `wrong_answer`: exit code 0 and another output; `time_limit` (wall or CPU), `memory_limit`, `output_limit` (or `diskBytes`): it was ended by that limit; `runtime_error`: another exit code, or a signal; `compile_error`: of the step `compile`; `skipped`: it was not run, as the step `compile` failed or by `stopOnFailure` (its `status` is `cancelled`). Null: not judged, as is a compile step that succeeded, or a step that was cancelled or failed through no fault of the program.',
});
