import type { Command } from 'commander';
import { openContext, type Streams } from '../../context.ts';
import { ApiError, ownProblem } from '../../errors.ts';
import { printFacts } from '../../output/facts.ts';
import { fetchVolumes } from '../../volumes/volumes.ts';
import { addCommonOptions, examples } from '../common.ts';

export function addShow(volumes: Command, streams: Streams): void {
  const command = volumes
    .command('show')
    .description('show where a volume is, and which services use it')
    .argument('<volume>', 'its name')
    .addHelpText('after', examples('runlet volumes show data'));
  addCommonOptions(command).action(async (name: string) => {
    const context = openContext(command, streams);
    const volume = (await fetchVolumes(context)).data.find((one) => one.name === name);
    if (volume === undefined)
      throw new ApiError(
        ownProblem(
          'not_found',
          'Nothing was found under this name',
          'There is no such volume: `runlet volumes` lists them.',
        ),
      );
    if (context.json) return context.printJson(volume);
    await printFacts(context, [
      ['name', volume.name],
      ['worker', volume.node],
      ['engine', volume.engine],
      ['services', volume.services.join(', ') || 'none: `runlet volumes rm` removes it'],
      ['created', volume.createdAt],
    ]);
  });
}
