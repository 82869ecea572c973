import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(program: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const command = program
    .command('pull')
    .description('pull an image to the workers, so that its first run starts at once')
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
