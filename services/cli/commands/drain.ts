import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { workerPath } from '../http/paths.ts';
import { addCommonOptions, examples } from './common.ts';
import { forEach } from './for-each.ts';

export function add(program: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const command = program
    .command('drain')
    .description('let a worker finish what it has and take nothing new')
    .argument('<worker>', 'its id, as `runlet workers` shows it')
    .addHelpText('after', examples('runlet drain wrk_0197…'));
  addCommonOptions(command).action(async (workerId: string) => {
    const context = openContext(command, streams);
    const drain = (id: string) => context.api.json({ method: 'POST', path: workerPath(id, '/drain') });
    finish(await forEach(context, [workerId], drain));
  });
}
