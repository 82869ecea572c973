import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { runPath, servicePath } from '../http/paths.ts';
import { runs, services } from '../ids/kinds.ts';
import { resolveId, resolveService } from '../ids/resolve.ts';
import { isRunId } from '../services/is-run-id.ts';
import { addCommonOptions, examples } from './common.ts';
import { forEach } from './for-each.ts';

export function add(command: Command, streams: Streams, finish: (exitCode: number) => void): void {
  command
    .argument('<run|service...>', 'ids of runs, or their beginnings, or last; names or ids of services')
    .option('--volumes', 'with services: their named volumes too, where no other service uses them')
    .addHelpText('after', examples('runlet rm run_0197…', 'runlet rm web', 'runlet rm --volumes db'));
  addCommonOptions(command).action(async (names: string[], options: { volumes?: boolean }) => {
    const context = openContext(command, streams);
    const pathOf = (name: string) =>
      isRunId(name) ? runPath(name) : servicePath(name, options.volumes === true ? '?volumes=true' : '');
    const { api } = context;
    const remove = (name: string) => api.json({ method: 'DELETE', path: pathOf(name) });
    const idOf = (name: string) =>
      isRunId(name) ? resolveId(api, runs, name) : resolveService(api, services, name);
    finish(await forEach(context, names, remove, idOf));
  });
}
