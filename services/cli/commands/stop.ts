import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { servicePath } from '../http/paths.ts';
import { services } from '../ids/kinds.ts';
import { resolveService } from '../ids/resolve.ts';
import { addCommonOptions, examples } from './common.ts';
import { forEach } from './for-each.ts';

export function add(command: Command, streams: Streams, finish: (exitCode: number) => void): void {
  command.argument('<name...>', 'names or ids of services').addHelpText('after', examples('runlet stop web'));
  addCommonOptions(command).action(async (names: string[]) => {
    const context = openContext(command, streams);
    const act = (name: string) =>
      context.api.json({
        method: 'POST',
        path: servicePath(name, '/stop'),
        headers: { prefer: 'wait=30' },
      });
    finish(await forEach(context, names, act, (name) => resolveService(context.api, services, name)));
  });
}
