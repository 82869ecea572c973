import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { runs, services } from '../ids/kinds.ts';
import { resolveId, resolveService } from '../ids/resolve.ts';
import { parseWhole } from '../parse/number.ts';
import { isRunId } from '../services/is-run-id.ts';
import { addCommonOptions, examples } from './common.ts';
import { as } from './option.ts';

export function add(command: Command, streams: Streams): void {
  command
    .argument('<run|service>', 'the run’s id, or its beginning, or last; the service’s name or id')
    .option('-f, --follow', 'go on until it has ended')
    .option('-n, --tail <number>', 'of a service: so many of the last lines', as(parseWhole), 1000)
    .addHelpText(
      'after',
      examples('runlet logs run_0197…', 'runlet logs -f run_0197… > out.txt', 'runlet logs -f web'),
    );
  addCommonOptions(command).action(async (name: string, options: { follow?: boolean; tail: number }) => {
    const context = openContext(command, streams);
    if (!isRunId(name)) {
      const { showServiceLogs } = await import('../services/logs.ts');
      const service = await resolveService(context.api, services, name);
      return showServiceLogs(context, service, options.follow === true, options.tail);
    }
    const { showLogs } = await import('../run/logs.ts');
    await showLogs(context, await resolveId(context.api, runs, name), options.follow === true);
  });
}
