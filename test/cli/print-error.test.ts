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
    'runlet: The request is not valid\n  a: must be text\n  b: must be text\n',
  );
});

test('what the detail does not say is told beside it', async () => {
  const problem = refused(z.object({ a: field }), {});
  expect(await printed({ ...problem, detail: 'Correct the fields named.' })).toBe(
    'runlet: The request is not valid\n  Correct the fields named.\n  a: must be text\n',
  );
});

test.each([
  ['limits.memoryBytes: Too small: expected number to be >=8388608', '--memory: the least is 8 MiB'],
  ['limits.timeoutMs: Too big: expected number to be <=3600000', '--timeout: the most is 1h'],
  ['limits.cpus: Too big: expected number to be <=256', '--cpus: the most is 256'],
  [
    'The run asks for 268435456 bytes and 100 CPUs; the largest worker has 20220850995 and 4: lower limits.memoryBytes or limits.cpus.',
    'The run asks for 256 MiB and 100 CPUs; the largest worker has 18.8 GiB and 4: lower --memory or --cpus.',
  ],
  [
    'code: has 2097152 bytes, more than limits.diskBytes (1048576) can hold',
    'the code: has 2 MiB, more than --disk (1 MiB) can hold',
  ],
  ['There is no service web: see GET /v1/services.', 'There is no service web: see `runlet services`.'],
  ['see GET /v1/deliveries?status=pending for them', 'see `runlet webhooks deliveries` for them'],
  ['have one made (POST /v1/keys, `runlet keys add`).', 'have one made (`runlet keys add`).'],
  ['on the machine, and use pull "missing".', 'on the machine, and use --pull missing.'],
  [
    'use isolation "container", or have gVisor installed.',
    'use --isolation container, or have gVisor installed.',
  ],
  ['env.A: is bad', '-e A: is bad'],
  ['Nothing of ours: run 20261201 has 3 parts.', 'Nothing of ours: run 20261201 has 3 parts.'],
])('is told in the words of the command line: %s', async (detail, words) => {
  const problem = { type: 'x', title: 'A title', status: 400, code: 'x', detail };
  expect(await printed(problem)).toBe(`runlet: A title\n  ${words}\n`);
});
