import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(program: Command, streams: Streams): void {
  const command = program
    .command('logs')
    .description('show the output of a run, stdout and stderr apart')
    .argument('<run>', 'the run’s id')
    .option('-f, --follow', 'go on until the run has ended')
    .addHelpText('after', examples('runlet logs run_0197…', 'runlet logs -f run_0197… > out.txt'));
  addCommonOptions(command).action(async (runId: string, options: { follow?: boolean }) => {
    const { showLogs } = await import('../run/logs.ts');
    await showLogs(openContext(command, streams), runId, options.follow === true);
  });
}
