import type { Run } from '../../../shared/contracts/run.ts';
import { isTerminal } from '../../../shared/run-states.ts';
import type { Context } from '../context.ts';
import { readJson } from '../http/api-client.ts';
import type { Answer } from '../http/exchange.ts';
import { runPath } from '../http/paths.ts';
import { withRetry } from '../http/with-retry.ts';
import { jsonText } from '../output/harmless.ts';
import { openPullView } from '../output/open-pull-view.ts';
import { followRun, type RunEvent } from './follow.ts';
import { observe } from './observe.ts';
import { showRun } from './show-run.ts';

// A running program's stream does not say where the past output ends. Half a second without an event counts as the end.
const quietMs = 500;
// The first event may have to wait for a connection.
const firstMs = 5000;

/** Shows the output so far, or with `follow` all of it to the end. */
export async function showLogs(context: Context, runId: string, follow: boolean): Promise<void> {
  const { api, note } = context;
  const path = runPath(runId);
  const answer = await withRetry(() => api.open({ path }), { note });
  const run = (await readJson(answer, api.url)) as Run;
  const past = new AbortController();
  const events = followRun(api, runId, { note, signal: past.signal });
  const wanted = follow || isTerminal(run.status) ? events : pastOf(events, past, serverTime(answer));
  let shown = false;
  const watched = observe(wanted, (event) => {
    shown ||= event.type === 'stdout' || event.type === 'stderr';
  });
  const { out, err } = context;
  const quietPull = openPullView(err, { quiet: true, json: context.json });
  if (context.json) return printJsonLines(context, watched);
  const end = await showRun(watched, {
    out,
    err,
    note,
    pull: follow ? openPullView(err, context) : quietPull,
    onClosed: () => past.abort(),
  });
  // Events are kept for less time than the run's record. Without them the output comes from the record, where the order
  // of stdout and stderr is lost.
  if (!shown && end !== undefined && isTerminal(run.status)) {
    await out.write(Buffer.from(run.stdout, run.outputEncoding));
    await err.write(Buffer.from(run.stderr, run.outputEncoding));
  }
}

/** One line for each event, as they come. */
async function printJsonLines({ out }: Context, events: AsyncIterable<RunEvent>): Promise<void> {
  for await (const { type, data } of events)
    if (type === 'stdout' || type === 'stderr') await out.line(jsonText({ type, ...data }));
}

/**
 * Stops at the first pause, and at the first event that happened after we asked. Otherwise a program that writes all
 * the time would never let us stop.
 */
async function* pastOf(
  events: AsyncGenerator<RunEvent>,
  past: AbortController,
  askedAt: number,
): AsyncGenerator<RunEvent> {
  let timer: NodeJS.Timeout | undefined;
  let patienceMs = firstMs;
  try {
    while (true) {
      timer = setTimeout(() => past.abort(), patienceMs);
      const next = await events.next();
      clearTimeout(timer);
      if (next.done) return;
      patienceMs = quietMs;
      yield next.value;
      if (eventTime(next.value.id) > askedAt) return;
    }
  } finally {
    clearTimeout(timer);
    past.abort();
  }
}

/** The time by the server's clock, which the events' times also come from. The header has only whole seconds. */
function serverTime(answer: Answer): number {
  const at = Date.parse(answer.header('date') ?? '');
  return Number.isNaN(at) ? Number.POSITIVE_INFINITY : at + 1000;
}

/**
 * The time in an event's id, which is the id of a Redis stream, `<ms>-<n>`. An id of another kind never counts as too
 * new.
 */
function eventTime(id: string | undefined): number {
  const ms = /^(\d+)-\d+$/.exec(id ?? '')?.[1];
  return ms === undefined ? 0 : Number(ms);
}
