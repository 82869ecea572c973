import { z } from 'zod';
import { problemCodes } from '../problems.ts';

const problemIssue = z.object({
  path: z.string().meta({ description: 'The field, as in `limits.memoryBytes` or `command[0]`.' }),
  message: z.string(),
});

export const problemBody = z
  .object({
    type: z.string().meta({ description: 'A stable URI that ends in the code.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'What happened and what to do next.' }),
    // For the document. Whoever reads it takes any code: another version of Runlet may have one more.
    code: z.string().meta({ enum: problemCodes, description: 'What went wrong, from a closed set.' }),
    errors: z.array(problemIssue).optional(),
    links: z
      .object({
        documentation: z.string().meta({
          description: 'The page on this code, on this server.',
          examples: ['/docs/problems/not_found'],
        }),
      })
      .optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details.' });

/**
 * A problem, or null where there is none. A union: where the document's generator meets `.nullable()` of a schema with a name
 * first, it makes the named schema itself nullable, for all that refer to it.
 */
export const problemOrNull = z.union([problemBody, z.null()]);

export type ProblemBody = z.infer<typeof problemBody>;
