import { readJson } from '../http/body.ts';
import type { GatewayContext } from '../http/context.ts';
import { textProblem } from '../http/zod-problem.ts';

/** The JSON of a body, whatever type it says it has: some clients call theirs text/plain. Throws Problems for what is none, or too large. */
export async function readBody(c: GatewayContext, maxBytes: number): Promise<unknown> {
  const { text, value } = await readJson(c, maxBytes, true);
  // A body that is valid UTF-8 can be ill-formed only by escapes.
  const fault = text.includes('\\u') ? textProblem(value) : undefined;
  if (fault !== undefined) throw fault;
  return value;
}
