import { randomUUID } from 'node:crypto';
import type { Service } from '../../../shared/contracts/service.ts';
import type { Context } from '../context.ts';
import { printFacts } from '../output/facts.ts';
import { factsOf } from './facts.ts';
import { serviceRequest, type UpOptions } from './request.ts';

/** One answer waits for so long; then it is asked again. */
const mostWaitSeconds = 30;
const down = new Set(['failed', 'stopped', 'crash_looping', 'removed']);

/** `runlet up`: 0 when it is ready (or was left to itself), 1 when it is not. */
export async function bringUp(
  context: Context,
  image: string,
  words: string[],
  options: UpOptions,
): Promise<number> {
  const { api, note } = context;
  const body = serviceRequest(context, image, words, options);
  const headers = { 'idempotency-key': randomUUID() };
  let service = await api.json<Service>({ method: 'POST', path: '/v1/services', body, headers });
  if (options.detach !== true) {
    note(`Starting ${service.name} …`);
    service = await waitFor(context, service, options.wait);
  }
  if (context.json) await context.printJson(service);
  else await printFacts(context, factsOf(service));
  if (options.detach === true || service.status === 'ready') return 0;
  note(`It is not ready: \`runlet logs ${service.name}\` shows what it wrote.`);
  return 1;
}

/** Until it is ready, or will not be by itself, or the time is over. */
export async function waitFor({ api }: Context, service: Service, ms: number): Promise<Service> {
  const until = Date.now() + ms;
  let now = service;
  while (now.status !== 'ready' && !down.has(now.status)) {
    const left = Math.ceil((until - Date.now()) / 1000);
    if (left <= 0) break;
    now = await api.json<Service>({
      method: 'POST',
      path: `/v1/services/${encodeURIComponent(service.id)}/start`,
      headers: { prefer: `wait=${Math.min(mostWaitSeconds, left)}` },
    });
  }
  return now;
}
