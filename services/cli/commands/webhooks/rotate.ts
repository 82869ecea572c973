import type { Command } from 'commander';
import { openContext, type Streams } from '../../context.ts';
import { endpointPath } from '../../http/paths.ts';
import { endpoints } from '../../ids/kinds.ts';
import { resolveId } from '../../ids/resolve.ts';
import { type Endpoint, printEndpoint } from '../../webhooks/endpoint.ts';
import { addCommonOptions, examples } from '../common.ts';

export function addRotate(webhooks: Command, streams: Streams): void {
  const command = webhooks
    .command('rotate')
    .description('make a new secret and print it, once; for a day the old one signs, too')
    .argument('<endpoint>', 'the endpoint’s id, or its beginning; or last')
    .addHelpText('after', examples('runlet webhooks rotate whk_0197…'));
  addCommonOptions(command).action(async (given: string) => {
    const context = openContext(command, streams);
    const id = await resolveId(context.api, endpoints, given);
    // Never repeated, even if the answer is lost: a second rotation would end the secret that the receiver uses now.
    const endpoint = await context.api.json<Endpoint>(
      { method: 'POST', path: endpointPath(id, '/rotate') },
      { onLoss: false },
    );
    await printEndpoint(context, endpoint);
  });
}
