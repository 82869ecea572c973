import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../../../shared/contracts/service.ts';
import type { Context } from '../context.ts';
import { readJson } from '../http/api-client.ts';
import { servicePath } from '../http/paths.ts';
import { openPullView } from '../output/open-pull-view.ts';

/** The longest wait of one request. Then the server is asked again. */
const maxWaitSeconds = 30;
const down = new Set(['failed', 'stopped', 'crash_looping', 'removed']);

/** While an image is pulled, the server is asked so often how far that is. */
const lookMs = 500;

/** Waits until the service is ready, or cannot become ready by itself, or the time is over. */
export async function waitFor(context: Context, service: Service, ms: number): Promise<Service> {
  const ready = new AbortController();
  const shown = showPull(context, service.id, ready.signal);
  try {
    return await untilReady(context, service, ms);
  } finally {
    ready.abort();
    await shown;
  }
}

/** Shows how far the pull of its image is. What cannot be asked is not shown. */
async function showPull(context: Context, id: string, over: AbortSignal): Promise<void> {
  if (context.quiet) return;
  const view = openPullView(context.err, context);
  try {
    for (let last: Service['pull'] = null; ; ) {
      await sleep(lookMs, undefined, { signal: over });
      const answer = await context.api.open({ path: servicePath(id), signal: over });
      const { pull, error } = (await readJson(answer, context.api.url)) as Service;
      if (pull) await view.show(pull);
      else if (last) {
        if (error === null) await view.show({ ...last, status: 'done' });
        return;
      }
      last = pull;
    }
  } catch {
    // It is ready, or the wait itself meets the same error.
  } finally {
    await view.stop();
  }
}

async function untilReady({ api }: Context, service: Service, ms: number): Promise<Service> {
  const until = Date.now() + ms;
  let now = service;
  while (now.status !== 'ready' && !down.has(now.status)) {
    const left = Math.ceil((until - Date.now()) / 1000);
    if (left <= 0) break;
    now = await api.json<Service>({
      method: 'POST',
      path: servicePath(service.id, '/start'),
      headers: { prefer: `wait=${Math.min(maxWaitSeconds, left)}` },
    });
  }
  return now;
}
