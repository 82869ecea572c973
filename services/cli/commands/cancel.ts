import type { Command } from 'commander';
import type { Run } from '../../../shared/contracts/run.ts';
import { isTerminal } from '../../../shared/run-states.ts';
import { openContext, type Streams } from '../context.ts';
import { runPath } from '../http/paths.ts';
import { runs } from '../ids/kinds.ts';
import { resolveId } from '../ids/resolve.ts';
import { addCommonOptions, examples } from './common.ts';
import { forEach } from './for-each.ts';

export function add(command: Command, streams: Streams, finish: (exitCode: number) => void): void {
  command
    .argument('<run...>', 'ids of runs, or their beginnings; or last')
    .addHelpText(
      'after',
      examples('runlet cancel run_0197…', 'runlet cancel last', 'runlet ps -q | xargs -r runlet cancel'),
    );
  addCommonOptions(command).action(async (runIds: string[]) => {
    const context = openContext(command, streams);
    const cancel = async (id: string) => {
      const { status } = await context.api.json<Run>({ method: 'POST', path: runPath(id, '/cancel') });
      if (isTerminal(status) && status !== 'cancelled') context.note(`${id} had ended already: ${status}`);
    };
    finish(await forEach(context, runIds, cancel, (text) => resolveId(context.api, runs, text)));
  });
}
