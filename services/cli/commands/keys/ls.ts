import type { Command } from 'commander';
import type { ApiKey } from '../../../../shared/contracts/key.ts';
import { openContext, type Streams } from '../../context.ts';
import { fetchList } from '../../http/fetch-list.ts';
import { formatAge } from '../../output/format.ts';
import { formatTable } from '../../output/table.ts';
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
    const rows = page.data.map((key) => [
      key.id,
      key.name,
      key.role,
      `${formatAge(key.createdAt, now)} ago`,
      key.lastUsedAt === null ? 'never' : `${formatAge(key.lastUsedAt, now)} ago`,
      expiry(key, now),
    ]);
    await context.out.line(formatTable(['KEY', 'NAME', 'ROLE', 'MADE', 'USED', 'EXPIRES'], rows));
  });
}

function expiry({ expiresAt }: ApiKey, now: number): string {
  if (expiresAt === null) return 'never';
  return Date.parse(expiresAt) <= now ? 'expired' : expiresAt;
}
