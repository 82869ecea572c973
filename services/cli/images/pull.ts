import { setTimeout as sleep } from 'node:timers/promises';
import type { PullEvent } from '../../../shared/contracts/events.ts';
import type { ProblemBody } from '../../../shared/contracts/problem.ts';
import type { Context } from '../context.ts';
import { ConnectionError } from '../errors.ts';
import type { ApiClient } from '../http/api-client.ts';
import { readEvents } from '../http/sse.ts';
import { isLoss, withRetry } from '../http/with-retry.ts';
import { printable } from '../output/harmless.ts';
import { openPullView } from '../output/open-pull-view.ts';
import { namesOf, workersOf } from '../workers/names.ts';

type PullDone = {
  image: string;
  workers: { worker: string; digest: string | null; error: ProblemBody | null }[];
};
type Progress = (picture: PullEvent & { worker?: string }) => Promise<void>;

// It is harmless to pull again: layers that are present are not downloaded twice.
const lossWaitsMs = [500, 2000, 5000];

/** Exit code 0 when every worker has the image. */
export async function executePull(context: Context, image: string): Promise<number> {
  const view = openPullView(context.err, context);
  const workers = await workersOf(context.api);
  const nameOf = namesOf(workers);
  const latest = new Map<string, PullEvent>();
  // With only one worker, its name is not needed in front of each layer.
  const show = (picture: PullEvent, worker: string) =>
    view.show(picture, workers.length > 1 || latest.size > 1 ? nameOf(worker) : undefined);
  const progress: Progress = async ({ worker = '', ...picture }) => {
    latest.set(worker, picture);
    await show(picture, worker);
  };
  let done: PullDone;
  try {
    done = await pullToEnd(context, image, progress);
    // The server's last picture is from before the end.
    for (const { worker, error } of done.workers) {
      const picture = latest.get(worker);
      if (picture !== undefined && error === null) await show({ ...picture, status: 'done' }, worker);
    }
  } finally {
    await view.stop();
  }
  if (context.json) await context.printJson(done);
  for (const { worker, digest, error } of done.workers) {
    if (error) await context.printProblem({ ...error, title: `${nameOf(worker)}: ${error.title}` });
    else if (!context.json)
      await context.out.line(
        printable(`${done.image}${digest === null ? '' : `@${digest}`}  ${nameOf(worker)}`),
      );
  }
  if (done.workers.length === 0) throw new Error('No worker took the pull: `runlet workers` lists them.');
  return done.workers.some(({ error }) => error !== null) ? 1 : 0;
}

async function pullToEnd(context: Context, image: string, progress: Progress): Promise<PullDone> {
  for (let losses = 0; ; losses += 1) {
    try {
      return await pullOnce(context.api, context.note, image, progress);
    } catch (error) {
      const waitMs = lossWaitsMs[losses];
      if (!isLoss(error) || waitMs === undefined) throw error;
      context.note('The connection to the server is lost; pulling again.');
      await sleep(waitMs);
    }
  }
}

async function pullOnce(
  api: ApiClient,
  note: (text: string) => void,
  image: string,
  progress: Progress,
): Promise<PullDone> {
  const open = () =>
    api.open({
      method: 'POST',
      path: '/v1/images/pull',
      body: { image },
      headers: { accept: 'text/event-stream' },
    });
  const response = await withRetry(open, { note, lossWaitsMs: [] });
  for await (const { event, data } of readEvents(response, api.url)) {
    if (event === 'pull') await progress(JSON.parse(data));
    if (event !== 'done') continue;
    const { image, workers } = JSON.parse(data) as PullDone;
    return { image, workers };
  }
  throw new ConnectionError(`${api.url} ended the answer before the pull was done.`);
}
