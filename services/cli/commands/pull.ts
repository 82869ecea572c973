import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(command: Command, streams: Streams, finish: (exitCode: number) => void): void {
  command
    .argument('<image>', 'any image reference, as for Docker')
    .addHelpText(
      'after',
      examples('runlet pull debian:13', 'runlet pull --quiet registry.example.com/team/job:7'),
    );
  addCommonOptions(command).action(async (image: string) => {
    const { executePull } = await import('../images/pull.ts');
    finish(await executePull(openContext(command, streams), image));
  });
}
