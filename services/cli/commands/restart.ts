import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { services } from '../ids/kinds.ts';
import { resolveService } from '../ids/resolve.ts';
import { addCommonOptions, examples } from './common.ts';
import { forEach } from './for-each.ts';

export function add(command: Command, streams: Streams, finish: (exitCode: number) => void): void {
  command
    .argument('<name...>', 'names or ids of services')
    .addHelpText('after', examples('runlet restart web'));
  addCommonOptions(command).action(async (names: string[]) => {
    const context = openContext(command, streams);
    const { startService } = await import('../services/start.ts');
    const restart = (name: string) => startService(context, name, 'restart');
    finish(await forEach(context, names, restart, (name) => resolveService(context.api, services, name)));
  });
}
