import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { addCommonOptions, examples } from './common.ts';
import { forEach } from './for-each.ts';

export function add(program: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const command = program
    .command('rm')
    .description('forget runs that have ended, with their output')
    .argument('<run...>', 'ids of runs')
    .addHelpText('after', examples('runlet rm run_0197…'));
  addCommonOptions(command).action(async (runIds: string[]) => {
    const context = openContext(command, streams);
    const remove = (id: string) =>
      context.api.json({ method: 'DELETE', path: `/v1/runs/${encodeURIComponent(id)}` });
    finish(await forEach(context, runIds, remove));
  });
}
