import type { Command } from 'commander';
import { openContext, type Streams } from '../../context.ts';
import { fetchList } from '../../http/fetch-list.ts';
import { shortIds } from '../../ids/short.ts';
import { formatAge } from '../../output/format.ts';
import { printTable } from '../../output/table.ts';
import { type Endpoint, endpointState } from '../../webhooks/endpoint.ts';
import { addCommonOptions, examples } from '../common.ts';

export function addLs(webhooks: Command, streams: Streams): void {
  const command = webhooks
    .command('ls')
    .description('list endpoints, the oldest first')
    .addHelpText('after', examples('runlet webhooks ls', 'runlet webhooks ls --json | jq -r .data[].id'));
  addCommonOptions(command).action(async () => {
    const context = openContext(command, streams);
    const page = await fetchList<Endpoint>(context.api, '/v1/webhooks');
    if (context.json) return context.printJson(page);
    const ids = page.data.map(({ id }) => id);
    const short = shortIds(context.out, ids);
    const rows = page.data.map((endpoint) => [
      short(endpoint.id),
      endpoint.url,
      endpoint.events.join(','),
      endpointState(endpoint),
      formatAge(endpoint.createdAt, Date.now()),
    ]);
    await printTable(context, ['ENDPOINT', 'URL', 'EVENTS', 'STATUS', 'AGE'], rows);
  });
}
