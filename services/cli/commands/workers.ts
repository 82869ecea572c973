import type { Command } from 'commander';
import type { Worker } from '../../../shared/contracts/worker.ts';
import { openContext, type Streams } from '../context.ts';
import { fetchList } from '../http/fetch-list.ts';
import { shortIds } from '../ids/short.ts';
import { formatAge, formatBytes } from '../output/format.ts';
import { printTable } from '../output/table.ts';
import { addCommonOptions, examples } from './common.ts';

const head = ['WORKER', 'NAME', 'STATUS', 'ENGINE', 'RUNS', 'CPUS', 'MEMORY', 'DISK FREE', 'SEEN'];

export function add(command: Command, streams: Streams): void {
  command.addHelpText('after', examples('runlet workers', 'runlet workers --json | jq .data[].engine'));
  addCommonOptions(command).action(async () => {
    const context = openContext(command, streams);
    const page = await fetchList<Worker>(context.api, '/v1/workers');
    if (context.json) return context.printJson(page);
    const short = shortIds(
      context.out,
      page.data.map(({ id }) => id),
    );
    const rows = page.data.map((worker) => toRow({ ...worker, id: short(worker.id) }, Date.now()));
    await printTable(context, head, rows);
  });
}

function toRow(
  { id, name, status, engine, inUse, capacity, disk, lastSeenAt }: Worker,
  now: number,
): string[] {
  return [
    id,
    name,
    status,
    `${engine.name} ${engine.version}`,
    String(inUse.runs),
    `${inUse.cpus}/${capacity.cpus}`,
    `${formatBytes(inUse.memoryBytes)}/${formatBytes(capacity.memoryBytes)}`,
    disk === null ? '-' : formatBytes(disk.freeBytes),
    `${formatAge(lastSeenAt, now)} ago`,
  ];
}
