import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(command: Command, streams: Streams): void {
  command
    .argument('<from>', 'a local path, or NAME:/PATH of a service; "-" is stdin')
    .argument('<to>', 'a local path, or NAME:/PATH of a service; "-" is stdout')
    .addHelpText(
      'after',
      '\nA folder goes below one that is there, by its own name; FOLDER/. is what is in it. Links are left out.',
    )
    .addHelpText(
      'after',
      examples(
        'runlet cp site.conf web:/etc/nginx/conf.d/site.conf',
        'runlet cp ./public/. web:/usr/share/nginx/html',
        'runlet cp web:/var/log/nginx logs',
        'runlet cp db:/var/log/error.log -',
      ),
    );
  addCommonOptions(command).action(async (from: string, to: string) => {
    const { copy } = await import('../services/copy.ts');
    await copy(openContext(command, streams), from, to);
  });
}
