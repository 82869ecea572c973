import type { Command } from 'commander';
import { openContext, type Streams } from '../../context.ts';
import { volumePath } from '../../http/paths.ts';
import { addCommonOptions, examples } from '../common.ts';
import { forEach } from '../for-each.ts';

export function addRm(volumes: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const command = volumes
    .command('rm')
    .description('remove volumes that no service uses, with all that is in them')
    .argument('<volume...>', 'names of volumes')
    .addHelpText('after', examples('runlet volumes rm data', 'runlet rm --volumes db'));
  addCommonOptions(command).action(async (names: string[]) => {
    const context = openContext(command, streams);
    const remove = (name: string) => context.api.json({ method: 'DELETE', path: volumePath(name) });
    finish(await forEach(context, names, remove));
  });
}
