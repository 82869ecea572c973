import type { Command } from 'commander';
import type { Image } from '../../../shared/contracts/worker.ts';
import { openContext, type Streams } from '../context.ts';
import { fetchList } from '../http/fetch-list.ts';
import { formatAge, formatBytes } from '../output/format.ts';
import { printTable } from '../output/table.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(command: Command, streams: Streams): void {
  command.addHelpText('after', examples('runlet images', 'runlet images --json | jq -r .data[].reference'));
  addCommonOptions(command).action(async () => {
    const context = openContext(command, streams);
    const page = await fetchList<Image>(context.api, '/v1/images');
    if (context.json) return context.printJson(page);
    const rows = page.data.map((image) => [
      image.reference,
      shortOf(image.id),
      image.digest === null ? '-' : shortOf(image.digest),
      formatBytes(image.sizeBytes),
      formatAge(image.createdAt, Date.now()),
      String(image.workers.length),
    ]);
    await printTable(context, ['IMAGE', 'ID', 'DIGEST', 'SIZE', 'AGE', 'WORKERS'], rows);
  });
}

/** The short form that `docker images` shows. It is long enough to name an image by. */
const shortOf = (digest: string) => digest.replace(/^sha256:/, '').slice(0, 12);
