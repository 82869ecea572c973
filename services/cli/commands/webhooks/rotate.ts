import type { Command } from 'commander';
import { openContext, type Streams } from '../../context.ts';
import { endpointPath } from '../../http/paths.ts';
import { type Endpoint, printEndpoint } from '../../webhooks/endpoint.ts';
import { addCommonOptions, examples } from '../common.ts';

export function addRotate(webhooks: Command, streams: Streams): void {
  const command = webhooks
    .command('rotate')
    .description('make a new secret and print it, once; for a day the old one signs, too')
    .argument('<endpoint>', 'the endpoint’s id')
    .addHelpText('after', examples('runlet webhooks rotate whk_0197…'));
  addCommonOptions(command).action(async (id: string) => {
    const context = openContext(command, streams);
    // Never repeated, even if the answer is lost: a second rotation would end the secret that the receiver uses now.
    const endpoint = await context.api.json<Endpoint>(
      { method: 'POST', path: endpointPath(id, '/rotate') },
      { onLoss: false },
    );
    await printEndpoint(context, endpoint);
  });
}
