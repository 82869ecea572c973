import type { Command } from 'commander';
import { type Context, openContext, type Streams } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { deliveryPath } from '../../http/paths.ts';
import { deliveries, endpoints } from '../../ids/kinds.ts';
import { resolveId } from '../../ids/resolve.ts';
import { parseSince } from '../../parse/time.ts';
import { redeliverFailed } from '../../webhooks/redeliver-failed.ts';
import { addCommonOptions, examples } from '../common.ts';
import { forEach } from '../for-each.ts';
import { as } from '../option.ts';

type RedeliverOptions = { failed?: boolean; since?: string; endpoint?: string };

export function addRedeliver(webhooks: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const command = webhooks
    .command('redeliver')
    .description('deliver again, now: these, or all that failed since a time')
    .argument('[delivery...]', 'ids of deliveries, or their beginnings; or last')
    .option('--failed', 'all that failed; with --since')
    .option('--since <time>', 'how long ago, like 1h, or a time like 2026-01-31T12:00:00Z', as(parseSince))
    .option('--endpoint <id>', 'only those to this endpoint; with --failed')
    .addHelpText(
      'after',
      examples(
        'runlet webhooks redeliver del_0197…',
        'runlet webhooks redeliver --failed --since 1h',
        'runlet webhooks redeliver --failed --since 2026-01-31T12:00:00Z --endpoint whk_0197…',
      ),
    );
  addCommonOptions(command).action(async (ids: string[], options: RedeliverOptions) => {
    const context = openContext(command, streams);
    if (options.failed) return finish(await redeliverAll(context, ids, options));
    if (options.since ?? options.endpoint) throw new UsageError('--since and --endpoint go with --failed.');
    if (ids.length === 0)
      throw new UsageError('Name deliveries, or say --failed --since TIME for all that failed.');
    const again = (id: string) => context.api.json({ method: 'POST', path: deliveryPath(id, '/redeliver') });
    finish(await forEach(context, ids, again, (text) => resolveId(context.api, deliveries, text)));
  });
}

async function redeliverAll(
  context: Context,
  ids: string[],
  { since, endpoint: given }: RedeliverOptions,
): Promise<number> {
  if (ids.length > 0) throw new UsageError('Name deliveries or say --failed, not both.');
  if (since === undefined) throw new UsageError('--failed needs --since: say how far back, like 1h.');
  const endpoint = given === undefined ? undefined : await resolveId(context.api, endpoints, given);
  const all = await redeliverFailed(context.api, { since, ...(endpoint !== undefined && { endpoint }) });
  if (context.json) await context.printJson(all);
  else
    await context.out.line(
      all.count === 1 ? '1 delivery is sent again.' : `${all.count} deliveries are sent again.`,
    );
  if (!all.complete)
    context.note(
      'There are more deliveries since then than the server looks at. Take a later --since or an --endpoint; `runlet webhooks deliveries --status failed` lists what is left.',
    );
  return all.complete ? 0 : 1;
}
