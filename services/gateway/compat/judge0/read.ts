import type { Run } from '../../../../shared/contracts/run.ts';
import { Problem } from '../../../../shared/problems.ts';
import type { GatewayContext } from '../../http/context.ts';
import { loadRun } from '../../runs/load.ts';
import type { CompatParts } from '../protocol.ts';
import { isMarked } from './kept.ts';
import { type Form, presentSubmission, readFields } from './present.ts';
import { Judge0Error } from './routes.ts';
import { runIdOf } from './token.ts';

const noSubmission =
  'There is no submission with this token: it may have been deleted, or its retention is over.';

/** How the request wants submissions shown. Throws for fields that there are not. */
export function formOf(c: GatewayContext): Form {
  const { names, unknown } = readFields(c.req.query('fields'));
  if (unknown.length > 0)
    throw new Judge0Error(400, `invalid fields: [${unknown.join(', ').slice(0, 512).toWellFormed()}]`);
  return { names, base64: isBase64(c) };
}

export const isBase64 = (c: GatewayContext) => c.req.query('base64_encoded') === 'true';

/** The run of a submission of the tenant's. Throws 404. */
export async function submittedRun(gateway: CompatParts, tenant: string, token: string): Promise<Run> {
  const run = await findSubmitted(gateway, tenant, token);
  if (run === undefined) throw new Judge0Error(404, noSubmission);
  return run;
}

async function findSubmitted(gateway: CompatParts, tenant: string, token: string): Promise<Run | undefined> {
  const id = runIdOf(token);
  if (id === undefined) return undefined;
  try {
    const run = await loadRun(gateway, tenant, id);
    return isMarked(run.metadata) ? run : undefined;
  } catch (error) {
    if (error instanceof Problem && error.code === 'not_found') return undefined;
    throw error;
  }
}

export function present(run: Run, form: Form): Record<string, unknown> {
  const shown = presentSubmission(run, form);
  if (shown === undefined) throw new Judge0Error(404, noSubmission);
  return shown;
}

/** The most bytes of an answer whose submissions are shown with all of their texts; of those after it texts are cut. */
const maxWholeBytes = 8 * 1024 * 1024;
const cutBytes = 16 * 1024;

/** Several submissions; null where there is none. One after another, so that what is held of long outputs is bounded. */
export async function presentMany(
  gateway: CompatParts,
  tenant: string,
  tokens: string[],
  form: Form,
): Promise<(Record<string, unknown> | null)[]> {
  const all: (Record<string, unknown> | null)[] = [];
  let bytes = 0;
  for (const token of tokens) {
    const run = await findSubmitted(gateway, tenant, token);
    const shown = run && presentSubmission(run, bytes < maxWholeBytes ? form : { ...form, cutAt: cutBytes });
    bytes += shown === undefined ? 0 : JSON.stringify(shown).length;
    all.push(shown ?? null);
  }
  return all;
}
