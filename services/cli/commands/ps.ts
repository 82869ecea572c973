import { type Command, InvalidArgumentError } from 'commander';
import type { Run } from '../../../shared/contracts/run.ts';
import { activeStatuses, runStatuses } from '../../../shared/run-states.ts';
import { openContext, type Streams } from '../context.ts';
import { fetchList } from '../http/fetch-list.ts';
import { formatAge } from '../output/format.ts';
import { formatTable } from '../output/table.ts';
import { parseCount } from '../parse/number.ts';
import { addCommonOptions, examples } from './common.ts';
import { as } from './option.ts';

type PsOptions = { all?: boolean; status?: string; limit: number };

export function add(program: Command, streams: Streams): void {
  const command = program
    .command('ps')
    .description('list runs, the newest first; by default those that have not ended')
    .option('-a, --all', 'those that have ended too')
    .option('--status <status>', `only these, comma separated: ${runStatuses.join(', ')}`, parseStatuses)
    .option('--limit <number>', 'most runs to list', as(parseCount), 100)
    .addHelpText(
      'after',
      examples('runlet ps', 'runlet ps -a --limit 10', 'runlet ps --status failed,timed_out'),
    );
  addCommonOptions(command).action(async (options: PsOptions) => {
    const context = openContext(command, streams);
    const status = options.status ?? (options.all ? undefined : activeStatuses.join(','));
    const query = status === undefined ? {} : { status };
    const page = await fetchList<Run>(context.api, '/v1/runs', query, options.limit);
    if (context.json) return context.printJson(page);
    const rows = page.data.map((run) => toRow(run, Date.now()));
    await context.out.line(formatTable(['RUN', 'IMAGE', 'STATUS', 'AGE', 'EXIT'], rows));
    if (page.nextCursor !== null) context.note(`There are more; --limit shows more than ${options.limit}.`);
  });
}

function parseStatuses(value: string): string {
  const known: readonly string[] = runStatuses;
  const unknown = value.split(',').find((status) => !known.includes(status));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`"${unknown}" is no status; there are ${runStatuses.join(', ')}.`);
  return value;
}

function toRow(run: Run, now: number): string[] {
  const image = run.image?.reference ?? run.request.image ?? '-';
  const exit = run.signal ?? run.exitCode ?? run.error?.code ?? '-';
  return [run.id, String(image), run.status, formatAge(run.createdAt, now), String(exit)];
}
