import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { formatTable } from '../output/table.ts';
import { addCommonOptions, examples } from './common.ts';

type Listed = { name: string; version: string; aliases: string[]; image: string; fileName: string };

export function add(program: Command, streams: Streams): void {
  const command = program
    .command('languages')
    .description(
      'list the languages that code can be run in; images named runlet-… are in no public registry: `npm run images` builds them',
    )
    .addHelpText('after', examples('runlet languages', 'runlet run --lang python -c "print(6 * 7)"'));
  addCommonOptions(command).action(async () => {
    const context = openContext(command, streams);
    const all = await context.api.json<{ data: Listed[] }>({ path: '/v1/languages' });
    if (context.json) return context.printJson(all);
    const rows = all.data.map(({ name, version, aliases, image, fileName }) => [
      name,
      version,
      aliases.join(', ') || '-',
      fileName,
      image,
    ]);
    await context.out.line(formatTable(['LANGUAGE', 'VERSION', 'ALIASES', 'FILE', 'IMAGE'], rows));
  });
}
