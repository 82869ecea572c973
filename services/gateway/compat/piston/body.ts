import type { GatewayContext } from '../../http/context.ts';
import { readBody } from '../read-body.ts';

export type Fields = Record<string, unknown>;

/** The fields of a JSON object; of anything else, none: what is missing is then said of each field. */
export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};

/** The body's fields. (`piston-client` sends JSON as text/plain.) */
export const readFields = async (c: GatewayContext, maxBytes: number): Promise<Fields> =>
  fieldsOf(await readBody(c, maxBytes));
