import { Writable } from 'node:stream';
import picocolors from 'picocolors';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { printProblem } from '../../services/cli/output/print-error.ts';
import { Sink } from '../../services/cli/output/sink.ts';
import { validationProblem } from '../../services/gateway/http/zod-problem.ts';
import type { ProblemBody } from '../../shared/contracts/problem.ts';

async function printed(problem: ProblemBody): Promise<string> {
  let text = '';
  const stream = new Writable({
    write(chunk, _, done) {
      text += chunk;
      done();
    },
  });
  await printProblem(problem, new Sink(stream), picocolors.createColors(false));
  return text;
}

/** What the gateway says of a body that is not as it should be. */
const refused = (schema: z.ZodType, body: unknown) => {
  const { error } = schema.safeParse(body);
  if (error === undefined) throw new Error('it is as it should be');
  return validationProblem(error).toBody();
};
const field = z.string('must be text');

test('a fault of one field is told once', async () => {
  expect(await printed(refused(z.object({ a: field }), { a: 1 }))).toBe(
    'runlet: The request is not valid\n  a: must be text\n',
  );
  expect(await printed(refused(field, 1))).toBe(
    'runlet: The request is not valid\n  the body: must be text\n',
  );
});

test('of several faults each is told, those that read alike too', async () => {
  expect(await printed(refused(z.object({ a: field, b: field }), {}))).toBe(
    'runlet: The request is not valid\n  a: must be text (and 1 more, see errors)\n  b: must be text\n',
  );
});

test('what the detail does not say is told beside it', async () => {
  const problem = refused(z.object({ a: field }), {});
  expect(await printed({ ...problem, detail: 'Correct the fields named.' })).toBe(
    'runlet: The request is not valid\n  Correct the fields named.\n  a: must be text\n',
  );
});
