import type { Command } from 'commander';
import type { Run } from '../../../shared/contracts/run.ts';
import { openContext, type Streams } from '../context.ts';
import { UsageError } from '../errors.ts';
import { runPath } from '../http/paths.ts';
import { runs } from '../ids/kinds.ts';
import { resolveId } from '../ids/resolve.ts';
import { exitCodeOf } from '../run/exit-code.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(command: Command, streams: Streams, finish: (exitCode: number) => void): void {
  command
    .argument('<run>', 'the run’s id, or its beginning; or last')
    .addHelpText('after', examples('runlet attach $(runlet run -dit busybox sh)'));
  addCommonOptions(command).action(async (given: string) => {
    const context = openContext(command, streams);
    const runId = await resolveId(context.api, runs, given);
    const { request } = await context.api.json<Run>({ path: runPath(runId) });
    if (request.interactive !== true)
      throw new UsageError(`${runId} is not interactive: \`runlet logs -f ${runId}\` shows it.`);
    if (request.tty === true && !process.stdin.isTTY)
      throw new UsageError(`${runId} has a terminal, and stdin is none here.`);
    const { converse } = await import('../attach/converse.ts');
    const end = await converse(context, runId, request.tty === true, () => {});
    if (end !== undefined) finish(exitCodeOf(end));
  });
}
