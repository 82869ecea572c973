import type { Service } from '../../../shared/contracts/service.ts';
import type { Context } from '../context.ts';
import { servicePath } from '../http/paths.ts';

/** The longest wait of one request. Then the server is asked again. */
const maxWaitSeconds = 30;
const down = new Set(['failed', 'stopped', 'crash_looping', 'removed']);

/** Waits until the service is ready, or cannot become ready by itself, or the time is over. */
export async function waitFor({ api }: Context, service: Service, ms: number): Promise<Service> {
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
