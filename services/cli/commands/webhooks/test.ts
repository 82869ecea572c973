import { type Command, Option } from 'commander';
import type { Delivery } from '../../../../shared/contracts/webhook.ts';
import { type Context, openContext, type Streams } from '../../context.ts';
import { endpointPath } from '../../http/paths.ts';
import { endpoints } from '../../ids/kinds.ts';
import { resolveId } from '../../ids/resolve.ts';
import { printable } from '../../output/harmless.ts';
import { parseDuration } from '../../parse/duration.ts';
import { awaitOutcome } from '../../webhooks/await-outcome.ts';
import { tryLines } from '../../webhooks/delivery.ts';
import { addCommonOptions, examples } from '../common.ts';
import { as } from '../option.ts';

export function addTest(webhooks: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const command = webhooks
    .command('test')
    .description('send a test event to an endpoint, and say what became of it')
    .argument('<endpoint>', 'the endpoint’s id, or its beginning; or last')
    .addOption(
      new Option('--wait <time>', 'most time to wait for the outcome')
        .argParser(as(parseDuration))
        .default(60_000, '1m'),
    )
    .option('--no-wait', 'print the delivery’s id, and leave it to itself')
    .addHelpText('after', '\nExit code 0 if it was delivered (or with --no-wait), else 1.')
    .addHelpText(
      'after',
      examples('runlet webhooks test whk_0197…', 'runlet webhooks test --no-wait whk_0197…'),
    );
  addCommonOptions(command).action(async (given: string, { wait }: { wait: number | false }) => {
    const context = openContext(command, streams);
    const { api, out, json } = context;
    const id = await resolveId(api, endpoints, given);
    const begun = await api.json<Delivery>({ method: 'POST', path: endpointPath(id, '/test') });
    if (wait === false) return json ? context.printJson(begun) : out.line(begun.id);
    if (!json) await out.line(printable(`${begun.id} to ${begun.url}`));
    const delivery = await awaitOutcome(api, begun, wait, async (number, attempt) => {
      if (!json) await out.line(tryLines(number, attempt));
    });
    await (json ? context.printJson(delivery) : out.line(delivery.status));
    if (delivery.status === 'pending') tellRest(context, delivery);
    finish(delivery.status === 'delivered' ? 0 : 1);
  });
}

function tellRest({ note }: Context, { id, attempts, nextAttemptAt }: Delivery): void {
  const see = `\`runlet webhooks deliveries ${id}\` shows what becomes of it.`;
  if (attempts.length === 0) note(`It was not tried yet: is a notifier running? ${see}`);
  else note(`It is tried again at ${nextAttemptAt}; ${see}`);
}
