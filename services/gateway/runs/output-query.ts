import { z } from 'zod';

/** `?output=true` of one run: what is shown of it besides the usual. */
export const outputQuery = z.strictObject({
  output: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .openapi({
      type: 'boolean',
      default: false,
      description: 'Shows `steps[].output`, both streams of each step in the order in which they came.',
    }),
});
