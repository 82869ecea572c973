import type { Command } from 'commander';
import { openContext, type Streams } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { endpointPath } from '../../http/paths.ts';
import { endpoints } from '../../ids/kinds.ts';
import { resolveId } from '../../ids/resolve.ts';
import { type Endpoint, printEndpoint } from '../../webhooks/endpoint.ts';
import { addCommonOptions, examples } from '../common.ts';
import { each, text } from '../option.ts';

export function addUpdate(webhooks: Command, streams: Streams): void {
  const command = webhooks
    .command('update')
    .description('change where an endpoint is, or what it gets; its secret stays')
    .argument('<endpoint>', 'the endpoint’s id, or its beginning; or last')
    // An argument and not an option: --url is the server's address in every command.
    .argument('[url]', 'its new address')
    .option(
      '--event <pattern>',
      'what it gets from now on, in the place of all before (repeatable)',
      each(text),
    )
    .addHelpText(
      'after',
      examples(
        'runlet webhooks update whk_0197… https://example.com/new/hook',
        'runlet webhooks update whk_0197… --event "*"',
      ),
    );
  addCommonOptions(command).action(
    async (given: string, url: string | undefined, options: { event?: string[] }) => {
      const context = openContext(command, streams);
      if (url === undefined && options.event === undefined)
        throw new UsageError('There is nothing to change: give a new address, or --event.');
      const body = { ...(url !== undefined && { url }), ...(options.event && { events: options.event }) };
      const id = await resolveId(context.api, endpoints, given);
      const endpoint = await context.api.json<Endpoint>({ method: 'PATCH', path: endpointPath(id), body });
      await printEndpoint(context, endpoint);
    },
  );
}
