import type { z } from 'zod';
import type { Run } from '../../../shared/contracts/run.ts';
import { metadata } from '../../../shared/contracts/run-request.ts';
import { isId } from '../../../shared/ids.ts';
import { badField } from '../../../shared/problems.ts';
import { runStatuses } from '../../../shared/run-states.ts';
import { presentRun, type RunRecord } from '../../../shared/stores/run-record.ts';
import type { Gateway } from '../gateway.ts';
import { decodeCursor, encodeCursor, oneOrMoreOf, pageQuery } from '../http/query.ts';
import { isStoreError } from '../http/store-errors.ts';

export type ListParts = Pick<Gateway, 'log' | 'preview' | 'runList' | 'runs'>;

/** Runs that one request looks at; `nextCursor` leads to the others. */
const maxScanned = 2_000;
const scanPage = 200;
/** Bytes of one page's records and output: large requests make a page shorter, so that the gateway's memory stays bounded. */
const maxPageBytes = 8 * 1024 * 1024;

export const listQuery = pageQuery.extend({
  status: oneOrMoreOf(
    runStatuses,
    `One status or several with commas between: ${runStatuses.join(', ')}.`,
    'queued,running',
  ),
  metadata: metadata.optional(),
});

export type ListQuery = z.output<typeof listQuery>;

/** A tenant's runs, newest first. */
export async function listRuns(
  gateway: ListParts,
  tenant: string,
  query: ListQuery,
): Promise<{ data: Run[]; nextCursor: string | null }> {
  const wanted = query.status && new Set<string>(query.status);
  const data: Run[] = [];
  let before = position(query.cursor);
  let scanned = 0;
  let bytes = 0;
  while (scanned < maxScanned) {
    const ids = await gateway.runs.ids(tenant, before, scanPage);
    for (const { id, status, requestBytes } of await gateway.runList.glance(ids)) {
      const matches = status !== null && (wanted === undefined || wanted.has(status));
      if (matches && data.length > 0 && bytes + requestBytes > maxPageBytes)
        return { data, nextCursor: encodeCursor(before as string) };
      before = id;
      scanned += 1;
      if (!matches) continue;
      const run = await entry(gateway, id, wanted, query.metadata);
      if (run === undefined) continue;
      bytes += requestBytes;
      data.push(run);
      if (data.length === query.limit) return { data, nextCursor: await cursorIfMore(gateway, tenant, id) };
    }
    if (ids.length < scanPage) return { data, nextCursor: null };
  }
  return { data, nextCursor: encodeCursor(before as string) };
}

function position(cursor: string | undefined): string | undefined {
  const id = decodeCursor(cursor);
  if (id !== undefined && !isId('run', id)) throw badField('cursor', 'is not a cursor of this list');
  return id;
}

/** The run as the list shows it, if it matches. A run that cannot be shown is left out, and the list goes on. */
async function entry(
  gateway: ListParts,
  id: string,
  statuses: Set<string> | undefined,
  wanted: Record<string, string> | undefined,
): Promise<Run | undefined> {
  try {
    // With a filter by metadata most runs do not match: their heads are read first. Without one, runs are read whole at once.
    const light = wanted && (await gateway.runs.read(id));
    if (light && !fits(light, statuses, wanted)) return undefined;
    const record = await gateway.runs.readWhole(id);
    return record && fits(record, statuses, wanted) ? await preview(gateway, record) : undefined;
  } catch (error) {
    if (isStoreError(error)) throw error;
    gateway.log.error({ run: id, err: error }, 'a run cannot be listed');
    return undefined;
  }
}

function fits(
  record: RunRecord,
  statuses: Set<string> | undefined,
  wanted: Record<string, string> | undefined,
): boolean {
  if (statuses !== undefined && !statuses.has(record.status)) return false;
  const has = record.head.request.metadata;
  return Object.entries(wanted ?? {}).every(([key, value]) => Object.hasOwn(has, key) && has[key] === value);
}

/** The run with the beginning of its output, as lists show it. */
export async function preview(gateway: Pick<Gateway, 'preview'>, record: RunRecord): Promise<Run> {
  const { output, cut } = await gateway.preview(record.head.id, record.attempt);
  const run = presentRun(record, output);
  return cut ? { ...run, outputTruncated: true } : run;
}

async function cursorIfMore(gateway: ListParts, tenant: string, last: string): Promise<string | null> {
  const [next] = await gateway.runs.ids(tenant, last, 1);
  return next === undefined ? null : encodeCursor(last);
}
