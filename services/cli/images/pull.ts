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
  const workers = new Set<string>();
  const progress: Progress = async (picture) => {
    if (picture.worker !== undefined) workers.add(picture.worker);
    // With only one worker, its name is not needed in front of each layer.
    await view.show(picture, workers.size > 1 ? picture.worker : undefined);
  };
  let done: PullDone;
  try {
    done = await pullToEnd(context, image, progress);
  } finally {
    await view.stop();
  }
  if (context.json) await context.printJson(done);
  for (const { worker, digest, error } of done.workers) {
    if (error) await context.printProblem({ ...error, title: `${worker}: ${error.title}` });
    else if (!context.json)
      await context.out.line(printable(`${done.image}${digest === null ? '' : `@${digest}`}  ${worker}`));
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
    if (event === 'done') return JSON.parse(data) as PullDone;
  }
  throw new ConnectionError(`${api.url} ended the answer before the pull was done.`);
}
