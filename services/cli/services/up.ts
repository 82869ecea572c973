import { randomUUID } from 'node:crypto';
import type { Service } from '../../../shared/contracts/service.ts';
import type { Context } from '../context.ts';
import { printFacts } from '../output/facts.ts';
import { interruptible } from '../run/interrupts.ts';
import { tellMadeSecret, webhookOf } from '../run/webhook.ts';
import { factsOf } from './facts.ts';
import { serviceRequest, type UpOptions } from './request.ts';
import { waitFor } from './wait-for.ts';

/** 128 and the number of SIGINT. */
const exitInterrupted = 130;

/** `runlet up`: 0 when the service is ready (or with --detach), 1 when it is not, 130 after Ctrl-C. */
export async function bringUp(
  context: Context,
  image: string,
  words: string[],
  options: UpOptions,
): Promise<number> {
  const { api, note } = context;
  const webhook = webhookOf(options, process.env);
  const body = serviceRequest(context, image, words, options, webhook);
  const headers = { 'idempotency-key': randomUUID() };
  return interruptible(note, async (interrupts) => {
    const begun = await api.json<Service>(
      { method: 'POST', path: '/v1/services', body, headers },
      { interrupt: interrupts.signal },
    );
    if (webhook !== undefined && webhook.secret === undefined) await tellMadeSecret(context, begun);
    let service: Service | undefined = begun;
    if (options.detach !== true) {
      note(`Starting ${begun.name} …`);
      const left = new Promise<undefined>((resolve) => interrupts.onFirst(() => resolve(undefined)));
      service = await Promise.race([waitFor(context, begun, options.wait), left]);
    }
    if (service === undefined) {
      note(
        `${begun.name} goes on starting: \`runlet services ${begun.name}\` shows how it is, \`runlet rm ${begun.name}\` removes it.`,
      );
      return exitInterrupted;
    }
    if (context.json) await context.printJson(service);
    else await printFacts(context, factsOf(service));
    if (options.detach !== true && service.status !== 'ready') {
      note(whereToLook(service));
      return 1;
    }
    if (service.url !== null && service.request.public !== true)
      note(`It is private: \`runlet open ${service.name}\` opens it in the browser.`);
    return 0;
  });
}

function whereToLook({ name, status, startedAt }: Service): string {
  if (status === 'starting')
    return `It is not ready yet, and goes on starting: \`runlet services ${name}\` shows how it is, \`runlet logs ${name}\` what it wrote.`;
  // A service that never ran has no output.
  if (startedAt === null) return `It cannot start: \`runlet rm ${name}\` frees its name.`;
  return `It is not ready: \`runlet logs ${name}\` shows what it wrote.`;
}
