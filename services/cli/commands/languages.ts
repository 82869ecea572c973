import type { Command } from 'commander';
import type { Image } from '../../../shared/contracts/worker.ts';
import { openContext, type Streams } from '../context.ts';
import { fetchList } from '../http/fetch-list.ts';
import { printTable } from '../output/table.ts';
import { addCommonOptions, examples } from './common.ts';

type Listed = { name: string; version: string; aliases: string[]; image: string; fileName: string };

export function add(command: Command, streams: Streams): void {
  command
    .addHelpText('after', '\nImages named runlet-… are in no public registry: `npm run images` builds them.')
    .addHelpText('after', examples('runlet languages', 'runlet run --lang python -c "print(6 * 7)"'));
  addCommonOptions(command).action(async () => {
    const context = openContext(command, streams);
    const all = await context.api.json<{ data: Listed[] }>({ path: '/v1/languages' });
    if (context.json) return context.printJson(all);
    const images = await fetchList<Image>(context.api, '/v1/images');
    const there = new Set(images.data.map(({ reference }) => reference));
    const rows = all.data.map(({ name, version, aliases, image, fileName }) => [
      name,
      version,
      there.has(image) ? 'yes' : 'no',
      aliases.join(', ') || '-',
      fileName,
      image,
    ]);
    await printTable(context, ['LANGUAGE', 'VERSION', 'READY', 'ALIASES', 'FILE', 'IMAGE'], rows);
    if (all.data.some(({ image }) => !there.has(image)))
      context.note(
        'What is not ready is pulled by its first run, and takes longer. Without a registry: `npm run images -- NAME`.',
      );
  });
}
