import { z } from 'zod';

export const problemIssue = z.object({
  path: z.string().meta({ description: 'The field, as in `limits.memoryBytes` or `command[0]`.' }),
  message: z.string(),
});

export const problemBody = z
  .object({
    type: z.string().meta({ description: 'A stable URI that ends in the code.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'What happened and what to do next.' }),
    code: z.string(),
    errors: z.array(problemIssue).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details.' });

export type ProblemIssue = z.infer<typeof problemIssue>;
export type ProblemBody = z.infer<typeof problemBody>;
