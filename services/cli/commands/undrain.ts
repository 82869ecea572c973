import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { workerPath } from '../http/paths.ts';
import { workers } from '../ids/kinds.ts';
import { resolveNamed } from '../ids/resolve.ts';
import { addCommonOptions, examples } from './common.ts';
import { forEach } from './for-each.ts';

export function add(command: Command, streams: Streams, finish: (exitCode: number) => void): void {
  command
    .argument('<worker...>', 'names, or ids or their beginnings, as `runlet workers` shows them')
    .addHelpText('after', examples('runlet undrain node-1'));
  addCommonOptions(command).action(async (names: string[]) => {
    const context = openContext(command, streams);
    const { api } = context;
    const undrain = async (name: string) => {
      const path = workerPath(await resolveNamed(api, workers, name), '/drain');
      // Unlike the removal of what is then gone, this may be repeated after a lost answer.
      await api.json({ method: 'DELETE', path }, { onLoss: true });
    };
    finish(await forEach(context, names, undrain));
  });
}
