import { randomUUID } from 'node:crypto';
import type { Service } from '../../../shared/contracts/service.ts';
import type { Context } from '../context.ts';
import { printFacts } from '../output/facts.ts';
import { factsOf } from './facts.ts';
import { serviceRequest, type UpOptions } from './request.ts';
import { waitFor } from './wait-for.ts';

/** `runlet up`: 0 when the service is ready (or with --detach), 1 when it is not. */
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
  note(whereToLook(service));
  return 1;
}

function whereToLook({ name, status, startedAt }: Service): string {
  if (status === 'starting')
    return `It is not ready yet, and goes on starting: \`runlet services ${name}\` shows how it is, \`runlet logs ${name}\` what it wrote.`;
  // A service that never ran has no output.
  if (startedAt === null) return `It cannot start: \`runlet rm ${name}\` frees its name.`;
  return `It is not ready: \`runlet logs ${name}\` shows what it wrote.`;
}
