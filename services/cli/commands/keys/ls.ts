import type { Command } from 'commander';
import type { ApiKey } from '../../../../shared/contracts/key.ts';
import { openContext, type Streams } from '../../context.ts';
import { fetchList } from '../../http/fetch-list.ts';
import { shortIds } from '../../ids/short.ts';
import { formatAge } from '../../output/format.ts';
import { printTable } from '../../output/table.ts';
import { addCommonOptions, examples } from '../common.ts';

export function addLs(keys: Command, streams: Streams): void {
  const command = keys
    .command('ls')
    .description('list keys, the oldest first; never the keys themselves')
    .addHelpText('after', examples('runlet keys ls', 'runlet keys ls --json | jq -r ".data[].id"'));
  addCommonOptions(command).action(async () => {
    const context = openContext(command, streams);
    const page = await fetchList<ApiKey>(context.api, '/v1/keys');
    if (context.json) return context.printJson(page);
    const now = Date.now();
    const ids = page.data.map(({ id }) => id);
    const short = shortIds(context.out, ids);
    const rows = page.data.map((key) => [
      short(key.id),
      key.name,
      key.role,
      `${formatAge(key.createdAt, now)} ago`,
      key.lastUsedAt === null ? 'never' : `${formatAge(key.lastUsedAt, now)} ago`,
      expiry(key, now),
    ]);
    await printTable(context, ['KEY', 'NAME', 'ROLE', 'MADE', 'USED', 'EXPIRES'], rows);
  });
}

function expiry({ expiresAt }: ApiKey, now: number): string {
  if (expiresAt === null) return 'never';
  return Date.parse(expiresAt) <= now ? 'expired' : expiresAt;
}
