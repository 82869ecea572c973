import { readJson } from '../../http/body.ts';
import type { GatewayContext } from '../../http/context.ts';
import { textProblem } from '../../http/zod-problem.ts';

export type Fields = Record<string, unknown>;

/** The fields of a JSON object; of anything else, none: what is missing is then said of each field. */
export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};

/** The body's fields, whatever type it says it has: `piston-client` sends JSON as text/plain. */
export async function readFields(c: GatewayContext, maxBytes: number): Promise<Fields> {
  const { text, value } = await readJson(c, maxBytes, true);
  // A body that is valid UTF-8 can be ill-formed only by escapes.
  const fault = text.includes('\\u') ? textProblem(value) : undefined;
  if (fault !== undefined) throw fault;
  return fieldsOf(value);
}
