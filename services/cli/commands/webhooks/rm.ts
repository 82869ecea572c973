import type { Command } from 'commander';
import { openContext, type Streams } from '../../context.ts';
import { endpointPath } from '../../http/paths.ts';
import { endpoints } from '../../ids/kinds.ts';
import { resolveId } from '../../ids/resolve.ts';
import { addCommonOptions, examples } from '../common.ts';
import { forEach } from '../for-each.ts';

export function addRm(webhooks: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const command = webhooks
    .command('rm')
    .description('remove endpoints; what is still due to them is not sent')
    .argument('<endpoint...>', 'ids of endpoints, or their beginnings; or last')
    .addHelpText('after', examples('runlet webhooks rm whk_0197…'));
  addCommonOptions(command).action(async (ids: string[]) => {
    const context = openContext(command, streams);
    const remove = (id: string) => context.api.json({ method: 'DELETE', path: endpointPath(id) });
    finish(await forEach(context, ids, remove, (text) => resolveId(context.api, endpoints, text)));
  });
}
