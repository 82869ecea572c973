import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { runPath } from '../http/paths.ts';
import { addCommonOptions, examples } from './common.ts';
import { forEach } from './for-each.ts';

export function add(program: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const command = program
    .command('cancel')
    .description('end runs that are queued or running')
    .argument('<run...>', 'ids of runs')
    .addHelpText(
      'after',
      examples('runlet cancel run_0197…', 'runlet ps --json | jq -r .data[].id | xargs runlet cancel'),
    );
  addCommonOptions(command).action(async (runIds: string[]) => {
    const context = openContext(command, streams);
    const cancel = (id: string) => context.api.json({ method: 'POST', path: runPath(id, '/cancel') });
    finish(await forEach(context, runIds, cancel));
  });
}
