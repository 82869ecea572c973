import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(program: Command, streams: Streams): void {
  const command = program
    .command('cp')
    .description('copy a file into a running service, or out of it')
    .argument('<from>', 'a local path, or NAME:/PATH of a service; "-" is stdin')
    .argument('<to>', 'a local path, or NAME:/PATH of a service; "-" is stdout')
    .addHelpText(
      'after',
      examples('runlet cp site.conf web:/etc/nginx/conf.d/site.conf', 'runlet cp db:/var/log/error.log -'),
    );
  addCommonOptions(command).action(async (from: string, to: string) => {
    const { copyFile } = await import('../services/copy.ts');
    await copyFile(openContext(command, streams), from, to);
  });
}
