import { isTerminal } from '../../../../shared/run-states.ts';
import type { App } from '../../http/mount.ts';
import { forgetBlobs } from '../../runs/forget-blobs.ts';
import { ownRecord } from '../../runs/load.ts';
import type { CompatParts } from '../protocol.ts';
import { authorize } from './authority.ts';
import { isMarked, sentWith } from './kept.ts';
import { NotUtf8 } from './present.ts';
import { formOf, present, presentMany, submittedRun } from './read.ts';
import { Judge0Error, notUtf8, route } from './routes.ts';

import { describeStatus } from './statuses.ts';
import { tokenOf } from './token.ts';
import { verdictOf } from './verdict.ts';

/** Runs of a tenant among which a list looks for submissions: the newest ones. */
const maxListed = 2_000;
const scanPage = 200;
const usualPerPage = 20;
const maxPerPage = 100;

/** What can be done with submissions that are stored: `GET /submissions/{token}`, the list, `DELETE`. */
export function mountStored(app: App, gateway: CompatParts): void {
  route(app, 'get', '/submissions', async (c) => {
    await authorize(gateway, c);
    const form = formOf(c);
    const { tenant } = c.var.identity;
    const page = pageNumber(c.req.query('page'), 'page', 1, Number.MAX_SAFE_INTEGER);
    const perPage = pageNumber(c.req.query('per_page'), 'per_page', usualPerPage, maxPerPage);
    const tokens = await newestTokens(gateway, tenant);
    const total = Math.ceil(tokens.length / perPage);
    const wanted = tokens.slice((page - 1) * perPage, page * perPage);
    try {
      const submissions = await presentMany(gateway, tenant, wanted, form);
      return c.json({
        // What was forgotten since it was found is left out.
        submissions: submissions.filter((one) => one !== null),
        meta: {
          current_page: page,
          next_page: page < total ? page + 1 : null,
          prev_page: page > 1 ? page - 1 : null,
          total_pages: total,
          total_count: tokens.length,
        },
      });
    } catch (error) {
      if (error instanceof NotUtf8) throw new Judge0Error(400, notUtf8('one or more submissions'));
      throw error;
    }
  });

  route(app, 'get', '/submissions/:token', async (c) => {
    const form = formOf(c);
    const run = await submittedRun(gateway, c.var.identity.tenant, c.req.param('token') ?? '');
    return c.json(present(run, form));
  });

  route(app, 'delete', '/submissions/:token', async (c) => {
    await authorize(gateway, c);
    const form = formOf(c);
    const { tenant } = c.var.identity;
    const run = await submittedRun(gateway, tenant, c.req.param('token') ?? '');
    const sent = sentWith(run);
    if (!isTerminal(run.status) && sent !== undefined) {
      const { id, description } = describeStatus(verdictOf(run, sent).status);
      throw new Judge0Error(400, `submission cannot be deleted because its status is ${id} (${description})`);
    }
    // In base64, so that it can be shown whatever it holds: afterwards it is gone.
    const shown = present(run, { ...form, base64: true });
    const { head } = await ownRecord(gateway, tenant, run.id);
    await gateway.runs.forget(head.id, head.tenant);
    await forgetBlobs(gateway, head);
    return c.json(shown);
  });
}

function pageNumber(given: string | undefined, name: string, usual: number, most: number): number {
  const value = given === undefined || given === '' ? usual : Number(given);
  if (!Number.isSafeInteger(value) || value < 1 || value > most)
    throw new Judge0Error(400, `invalid ${name}: ${(given ?? '').slice(0, 32).toWellFormed()}`);
  return value;
}

/** The newest first. */
async function newestTokens(gateway: CompatParts, tenant: string): Promise<string[]> {
  const tokens: string[] = [];
  let before: string | undefined;
  for (let scanned = 0; scanned < maxListed; scanned += scanPage) {
    const ids = await gateway.runs.ids(tenant, before, scanPage);
    const records = await Promise.all(ids.map((id) => gateway.runs.read(id)));
    for (const record of records)
      if (record !== undefined && isMarked(record.head.request.metadata))
        tokens.push(tokenOf(record.head.id));
    before = ids.at(-1);
    if (ids.length < scanPage) break;
  }
  return tokens;
}
