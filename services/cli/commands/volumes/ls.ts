import type { Command } from 'commander';
import { openContext, type Streams } from '../../context.ts';
import { formatAge } from '../../output/format.ts';
import { printTable } from '../../output/table.ts';
import { fetchVolumes } from '../../volumes/volumes.ts';
import { addCommonOptions, examples } from '../common.ts';

export function addLs(volumes: Command, streams: Streams): void {
  const command = volumes
    .command('ls', { isDefault: true })
    .description('list volumes (also without "ls")')
    .addHelpText('after', examples('runlet volumes', 'runlet volumes --json | jq -r .data[].name'));
  addCommonOptions(command).action(async () => {
    const context = openContext(command, streams);
    const page = await fetchVolumes(context);
    if (context.json) return context.printJson(page);
    const rows = page.data.map((volume) => [
      volume.name,
      volume.node,
      volume.services.join(', ') || '-',
      formatAge(volume.createdAt, Date.now()),
    ]);
    await printTable(context, ['VOLUME', 'WORKER', 'SERVICES', 'AGE'], rows);
  });
}
