import type { RunRequest } from '../../../../shared/contracts/run-request.ts';
import { Problem } from '../../../../shared/problems.ts';
import type { App } from '../../http/mount.ts';
import { isStoreError } from '../../http/store-errors.ts';
import type { CompatParts } from '../protocol.ts';
import { bodyOf, requestIn, submit } from './create.ts';
import { Faults } from './faults.ts';
import { NotUtf8 } from './present.ts';
import { formOf, isBase64, presentMany } from './read.ts';
import { Judge0Error, notUtf8, route } from './routes.ts';
import { maxBatch } from './settings.ts';
import { tokenOf } from './token.ts';

/** `POST /submissions/batch` and `GET /submissions/batch`: up to 20 at once. A bad one keeps no other out. */
export function mountBatch(app: App, gateway: CompatParts): void {
  route(app, 'post', '/submissions/batch', async (c) => {
    const body = (await bodyOf(gateway, c)) as { submissions?: unknown } | null;
    const items = Array.isArray(body?.submissions) ? body.submissions : [];
    refuseSize(items.length);
    const base64 = isBase64(c);
    const requests = items.map((item) => requestIn(gateway, item, base64));
    const outcomes = await Promise.all(
      requests.map((request) => storeOne(gateway, c.var.identity.tenant, request)),
    );
    const failure = outcomes.find((outcome) => outcome instanceof Problem);
    const stored = outcomes.some((outcome) => !(outcome instanceof Problem) && 'token' in outcome);
    if (!stored && failure !== undefined) throw failure;
    const answers = outcomes.map((outcome) =>
      outcome instanceof Problem ? { error: ['queue is full'] } : outcome,
    );
    return c.json(answers, stored ? 201 : 422);
  });

  route(app, 'get', '/submissions/batch', async (c) => {
    const form = formOf(c);
    const tokens = (c.req.query('tokens') ?? c.req.header('tokens') ?? '')
      .split(',')
      .map((token) => token.trim())
      .filter((token) => token !== '');
    refuseSize(tokens.length);
    try {
      return c.json({ submissions: await presentMany(gateway, c.var.identity.tenant, tokens, form) });
    } catch (error) {
      if (error instanceof NotUtf8) throw new Judge0Error(400, notUtf8('one or more submissions'));
      throw error;
    }
  });
}

function refuseSize(count: number): void {
  if (count > maxBatch)
    throw new Judge0Error(
      400,
      `number of submissions in a batch should be less than or equal to ${maxBatch}`,
    );
  if (count === 0) throw new Judge0Error(400, 'there should be at least one submission in a batch');
}

/** A Problem where there is no room for it. */
async function storeOne(
  gateway: CompatParts,
  tenant: string,
  request: RunRequest | Faults,
): Promise<{ token: string } | Record<string, string[]> | Problem> {
  if (request instanceof Faults) return request.byField;
  try {
    return { token: tokenOf(await submit(gateway, tenant, request)) };
  } catch (error) {
    if (error instanceof Problem) return error;
    if (isStoreError(error)) return new Problem('store_unavailable', 'The store cannot be reached.');
    throw error;
  }
}
