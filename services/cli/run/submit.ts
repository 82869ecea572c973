import { randomUUID } from 'node:crypto';
import type { Run } from '../../../shared/contracts/run.ts';
import type { Context } from '../context.ts';
import { ApiError } from '../errors.ts';
import { type ApiRequest, readJson } from '../http/api-client.ts';
import type { Answer } from '../http/exchange.ts';
import { runPath } from '../http/paths.ts';

/** Stores the run. */
export async function submit(context: Context, body: unknown, interrupt: AbortSignal): Promise<Run> {
  const response = await context.api.answer(submission(body), { interrupt });
  return named(context, (await readJson(response, context.api.url)) as Run | undefined);
}

/** A run that is stored. `first`: a connection on which its events come already. */
export type Started = { id: string; first?: Answer };

/** Stores the run, and has its events in the same answer: one request instead of two. A server that cannot do that answers with the run. */
export async function submitAndFollow(
  context: Context,
  body: unknown,
  interrupt: AbortSignal,
): Promise<Started> {
  const { api } = context;
  const first = await api.answer(submission(body, { accept: 'text/event-stream' }), { interrupt });
  if (!first.header('content-type')?.startsWith('text/event-stream'))
    return named(context, (await readJson(first, api.url)) as Run | undefined);
  const id = first.header('location')?.split('/').at(-1);
  return { ...named(context, id === undefined ? undefined : { id }), first };
}

/** All tries use the same idempotency key. So a run whose answer was lost is not started a second time. */
function submission(body: unknown, headers: Record<string, string> = {}): ApiRequest {
  return {
    method: 'POST',
    path: '/v1/runs',
    body,
    headers: { 'idempotency-key': randomUUID(), ...headers },
  };
}

function named<T extends { id: string }>(context: Context, run: T | undefined): T {
  if (typeof run?.id === 'string') return run;
  throw new Error(
    `${context.api.url} accepted the run but did not name it. Check the address with \`runlet config\`.`,
  );
}

/** Asks for the end of a run. If that cannot be done it is noted. */
export async function cancelRun(context: Context, runId: string): Promise<void> {
  try {
    await context.api.json({ method: 'POST', path: runPath(runId, '/cancel') });
  } catch (error) {
    // The run ended by itself in the meantime. Its end comes with the events.
    if (error instanceof ApiError && [404, 409].includes(error.problem.status ?? 0)) return;
    context.note(
      `The run could not be cancelled: ${(error as Error).message} Try \`runlet cancel ${runId}\`.`,
    );
  }
}
