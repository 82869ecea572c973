import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { openContext, type Streams } from '../../context.ts';
import { endpointPath } from '../../http/paths.ts';
import { type Endpoint, eventPatternsHelp, printEndpoint } from '../../webhooks/endpoint.ts';
import { addCommonOptions, examples } from '../common.ts';
import { each, text } from '../option.ts';

export function addAdd(webhooks: Command, streams: Streams): void {
  const command = webhooks
    .command('add')
    .description('register an endpoint; prints its secret, once')
    .argument('<url>', 'where events are POSTed to; the server tells which addresses it may be')
    .option('--event <pattern>', eventPatternsHelp, each(text))
    .addHelpText(
      'after',
      examples(
        'runlet webhooks add https://example.com/hooks/runlet',
        'runlet webhooks add https://example.com/hooks/runlet --event run.finished --event webhook.disabled',
        'runlet webhooks add --json https://example.com/hooks/runlet | jq -r .secret',
      ),
    );
  addCommonOptions(command).action(async (url: string, options: { event?: string[] }) => {
    const context = openContext(command, streams);
    const { api } = context;
    const made = await api.json<Endpoint>({
      method: 'POST',
      path: '/v1/webhooks',
      body: { url, ...(options.event && { events: options.event }) },
      headers: { 'idempotency-key': randomUUID() },
    });
    // The first answer was lost with its connection, and the retried request does not return the secret again.
    const endpoint =
      made.secret === undefined
        ? await api.json<Endpoint>({ method: 'POST', path: endpointPath(made.id, '/rotate') })
        : made;
    await printEndpoint(context, endpoint);
  });
}
