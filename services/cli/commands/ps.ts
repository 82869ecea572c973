import { type Command, InvalidArgumentError } from 'commander';
import type { Run } from '../../../shared/contracts/run.ts';
import { activeStatuses, runStatuses } from '../../../shared/run-states.ts';
import { openContext, type Streams } from '../context.ts';
import { fetchList } from '../http/fetch-list.ts';
import { shortIds } from '../ids/short.ts';
import { formatAge } from '../output/format.ts';
import { printTable } from '../output/table.ts';
import { parseCount } from '../parse/number.ts';
import { parsePair } from '../parse/pairs.ts';
import { addCommonOptions, examples } from './common.ts';
import { as, each } from './option.ts';

type PsOptions = {
  all?: boolean;
  ids?: boolean;
  status?: string;
  metadata?: [string, string][];
  limit: number;
};

export function add(command: Command, streams: Streams): void {
  command
    .option('-a, --all', 'those that have ended too')
    .option('--status <status>', `only these, comma separated: ${runStatuses.join(', ')}`, parseStatuses)
    .option('--metadata <name=value>', 'only those that were given this (repeatable)', each(parsePair))
    .option('-q, --ids', 'ids only, one a line')
    .option('--limit <number>', 'most runs to list', as(parseCount), 100)
    .addHelpText(
      'after',
      examples(
        'runlet ps',
        'runlet ps -a --limit 10',
        'runlet ps --status failed,timed_out',
        'runlet ps -q --metadata job=nightly | xargs -r runlet cancel',
      ),
    );
  addCommonOptions(command, '--quiet').action(async (options: PsOptions) => {
    const context = openContext(command, streams);
    const status = options.status ?? (options.all ? undefined : activeStatuses.join(','));
    const query: Record<string, string> = status === undefined ? {} : { status };
    for (const [name, value] of options.metadata ?? []) query[`metadata.${name}`] = value;
    const page = await fetchList<Run>(context.api, '/v1/runs', query, options.limit);
    if (context.json) return context.printJson(page);
    const ids = page.data.map(({ id }) => id);
    if (options.ids === true) for (const id of ids) await context.out.line(id);
    else {
      const short = shortIds(context.out, ids);
      const rows = page.data.map((run) => toRow({ ...run, id: short(run.id) }, Date.now()));
      await printTable(context, head, rows);
    }
    if (page.nextCursor !== null) context.note(`There are more; --limit shows more than ${options.limit}.`);
  });
}

const head = ['RUN', 'LANGUAGE', 'IMAGE', 'STATUS', 'AGE', 'EXIT'];

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
  const language = run.request.language ?? '-';
  return [run.id, String(language), String(image), run.status, formatAge(run.createdAt, now), String(exit)];
}
