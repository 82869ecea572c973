import type { Run } from '../../../shared/contracts/run.ts';
import { isId } from '../../../shared/ids.ts';
import { Problem } from '../../../shared/problems.ts';
import { outputCollector } from '../../../shared/stores/run-events.ts';
import { presentRun, type RunRecord, type Shown } from '../../../shared/stores/run-record.ts';
import type { Gateway } from '../gateway.ts';
import type { RunEnd } from '../stores/run-end.ts';

export type LoadParts = Pick<Gateway, 'runEvents' | 'runs'>;

const firstPage = 256;

/** What the answers about one run show: a judge's run has all of it. (Lists and webhooks cut output, and show none of it twice.) */
export const shownOf = ({ head }: RunRecord, { output = false }: Shown = {}): Shown => ({
  output: output || head.told?.judging === true,
});

export const noSuchRun = (id: string) =>
  new Problem(
    'not_found',
    `There is no run ${id.slice(0, 64)}: it may have been deleted, or its retention is over.`,
  );

/** The record of a tenant's run, without its request. Somebody else's run is not found, as one that never was. */
export async function ownRecord(gateway: LoadParts, tenant: string, id: string): Promise<RunRecord> {
  const record = isId('run', id) ? await gateway.runs.read(id) : undefined;
  if (record === undefined || record.head.tenant !== tenant) throw noSuchRun(id);
  return record;
}

/** A run that was waited for: from the message of its end if that has the result, else as it is stored. */
export async function endedRun(
  gateway: LoadParts,
  stored: RunRecord,
  end: RunEnd | undefined,
  shown?: Shown,
): Promise<Run> {
  if (end?.found === undefined) return loadRun(gateway, stored.head.tenant, stored.head.id, shown);
  const { output, ...found } = end.found;
  return presentRun({ ...stored, ...found, cancelRequested: false }, output, shownOf(stored, shown));
}

/** A run with all of its output, in one round trip unless the output is long. */
export async function loadRun(gateway: LoadParts, tenant: string, id: string, shown?: Shown): Promise<Run> {
  if (!isId('run', id)) throw noSuchRun(id);
  // The record is read first: if it says that the run has ended, all its events are there.
  const [record, events] = await Promise.all([
    gateway.runs.readWhole(id),
    gateway.runEvents.read(id, '0', firstPage),
  ]);
  if (record === undefined || record.head.tenant !== tenant) throw noSuchRun(id);
  if (events.length === firstPage)
    return presentRun(record, await gateway.runEvents.output(id, record.attempt), shownOf(record, shown));
  const collector = outputCollector(record.attempt);
  for (const event of events) collector.add(event);
  return presentRun(record, collector.output(), shownOf(record, shown));
}
